"""A party, put together: seed, database, chains with their wallets, agreement, and the driver on top."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from chains.errors import ChainError, ChainUnavailable
from chains.legs import NATIVE, Quorum
from chains.port import Chain, Wallet
from chains.quorum import threshold_of
from chains.registry import make_chain
from htlc.driver import Driver
from htlc.fees import SAMPLE_PRICE, FeePolicy
from htlc.observer import Observation, Observer
from htlc.ports import Attesters, Deal, Spans, no_spans
from htlc.terms import LegTerms
from htlc.timelocks import guards as guards_of
from options.quoting import Market, Quote
from relayer.errors import BadRequest
from relayer.passphrase import passphrase
from relayer.settings import SEED_FILE, FeeSettings, Settings, database_url
from relayer.shop import open_shop, shortest_ladder
from settlement import seed as seeds
from settlement.agreement import Agreement, Offer
from settlement.gate import Gate
from settlement.kept import FileKeeper, Keeper, KeptJournal, NoKeeper
from settlement.mailer import Mailer
from settlement.policy import AcceptPolicy, Policies, Risk
from settlement.post import Post
from settlement.premium import option_quote
from settlement.proposal import Agreed, Proposal
from settlement.recorder import Recorder
from settlement.releases import Releases
from settlement.seed import Seed
from settlement.shop import Shop
from settlement.store import Store
from settlement.store.requests import RequestKey
from settlement.taker import Maker, Taker

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LocalClock:
    """The machine's clock; with an offset read from a file where a test moves time."""

    offset_file: Path | None = None

    def now(self) -> float:
        """UNIX seconds."""
        if self.offset_file is None:
            return time.time()
        return time.time() + float(self.offset_file.read_text() or 0)


@dataclass(frozen=True, slots=True)
class Party:
    """Everything of one party. One that does not drive signs no transaction: it looks, proposes and decides.

    unopened: chains that could not be opened yet, each with the reason."""

    settings: Settings
    seed: Seed
    clock: LocalClock
    store: Store
    chains: Mapping[str, Chain]
    wallets: Mapping[str, Wallet]
    agreement: Agreement
    post: Post
    mailer: Mailer
    gate: Gate
    shop: Shop
    taker: Taker
    observer: Observer
    unopened: dict[str, str]

    # --- life ----------------------------------------------------------------------------------------------

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, drive: bool, late: bool = False) -> AsyncIterator[Party]:
        """Open everything and close it in the end. late: a chain that is down may be opened later, by
        `open_chain`. Raises what a missing seed, a database in use or a node of the wrong network raise."""
        seed = load_seed(settings)
        clock = LocalClock(settings.testing.clock_offset_file)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                await Store.open(
                    database_url(settings), drive=drive, folder=settings.party.folder, lease=settings.party.lease
                )
            )
            chains = {name: make_chain(name, section, clock.now) for name, section in settings.chains.items()}
            for chain in chains.values():
                stack.push_async_callback(chain.close)
            unopened: dict[str, str] = {}
            await asyncio.gather(*(_open(chain, late, unopened) for chain in chains.values()))
            wallets = {name: chain.wallet(seed.raw) for name, chain in chains.items()}
            identity = seed.identity()
            post = await stack.enter_async_context(Post(identity.public))
            agreement = Agreement(store, chains, wallets, seed, policies(settings), clock, _url(settings))
            releases = Releases(store, wallets, identity, clock)
            mailer = Mailer(store, agreement, releases, post)
            observer = Observer(chains, seed.secret, clock)
            shop = open_shop(settings, chains, agreement)
            yield cls(
                settings,
                seed,
                clock,
                store,
                chains,
                wallets,
                agreement,
                post,
                mailer,
                Gate(agreement, releases, shop=shop if settings.offers.serve else None),
                shop,
                Taker(agreement, post, mailer),
                observer,
                unopened,
            )

    @property
    def identity(self) -> str:
        """The public key that names us."""
        return self.agreement.identity.public

    async def open_chain(self, name: str) -> bool:
        """Try again to open a chain that was down; whether it is open now. A node of another network, or one that
        can't hold our legs, stays out, with the reason in `unopened`."""
        try:
            await self.chains[name].open()
        except ChainError as error:
            if self.unopened.get(name) != str(error):
                log.warning("chain can't be opened", chain=name, reason=str(error))
            self.unopened[name] = str(error)
            return False
        self.unopened.pop(name, None)
        return True

    def driver(self, spans: Spans = no_spans) -> Driver:
        """The driver of this party's deals."""
        fees = fee_policies(self.settings, self.chains)
        keepers: dict[str, Keeper] = {
            "file": FileKeeper(self.settings.backup.folder, self.seed.identity()),
            "chain": Recorder(self.store, self.chains, self.wallets, self.seed, fees, self.clock),
            "none": NoKeeper(),
        }
        return Driver(
            KeptJournal(self.store, keepers, self._backups_of),
            self.chains,
            self.wallets,
            self.seed.secret,
            self.clock,
            self.mailer,
            fees,
            spans,
            attesters_of(self.settings, self.seed, self.wallets),
        )

    async def _backups_of(self, deals: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(deals, self.settings.backup.mode) | await self.store.book.backups(deals)

    # --- looking -------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Follow every chain to its best block."""
        await self.observer.look()

    async def balances(self) -> dict[str, int]:
        """Confirmed holdings by "chain/asset", in smallest units: coins, and the tokens that are configured."""
        return {
            f"{name}/{asset}": held for name in self.wallets for asset, held in (await self.holdings(name)).items()
        }

    async def holdings(self, chain: str) -> dict[str, int]:
        """Confirmed holdings on one chain by asset, in smallest units. Raises ChainUnavailable."""
        tokens: Mapping[str, Any] = self.settings.chains[chain].get("tokens", {})
        assets = (NATIVE, *(self.chains[chain].asset(symbol) for symbol in tokens))
        return {asset: await self.wallets[chain].balance(asset) for asset in assets}

    async def observe(self, id_: str) -> Observation:
        """One deal as the chains show it now. Raises NoSuchDeal."""
        deal = await self.store.deal(id_)
        await self.observer.know(deal)
        await self.observer.look()
        unsettled = [intent for intent in await self.store.intents(id_) if intent.final is None]
        states = await self.observer.trace(unsettled, {id_: deal})
        return self.observer.observe(deal, await self.store.intents(id_), states)

    # --- agreeing ------------------------------------------------------------------------------------------

    def ladder(
        self, name: str, legs: Mapping[str, str], life: int = 0, backup: str | None = None
    ) -> dict[str, int]:
        """The shortest deadlines that are safe for both roles of a protocol by our own parameters, starting now.
        legs: chain by leg name. backup: of the deal, where it is not the configuration's; a record on a chain
        takes its time before any funding. Raises BadRequest."""
        for leg, chain in legs.items():
            if chain not in self.chains:
                raise BadRequest(f"leg {leg} is on {chain!r}, which the configuration does not have")
        now = int(self.clock.now())
        return shortest_ladder(self.settings, self.chains, name, legs, now, life, backup=backup)

    async def quote(
        self,
        kind: str,
        legs: Mapping[str, LegTerms],
        times: Mapping[str, int],
        market: Market,
        spread: float = 0.0,
    ) -> Quote:
        """What an option of these legs and deadlines is worth. Raises an OptionsError, BadAsset."""
        decimals = {
            name: await self.chains[legs[name].chain].decimals(legs[name].asset)
            for name in ("collateral", "strike")
        }
        return option_quote(kind, legs, decimals, times, int(self.clock.now()), market, spread)

    async def propose(
        self,
        name: str,
        role: str,
        legs: Mapping[str, LegTerms],
        options: Mapping[str, str],
        times: Mapping[str, int],
        peer: str,
        quorum: Quorum | None = None,
        backup: str | None = None,
    ) -> Proposal:
        """As `draft`, and send it."""
        return await self.mailer.send(await self.draft(name, role, legs, options, times, peer, quorum, backup))

    async def draft(
        self,
        name: str,
        role: str,
        legs: Mapping[str, LegTerms],
        options: Mapping[str, str],
        times: Mapping[str, int],
        peer: str,
        quorum: Quorum | None = None,
        backup: str | None = None,
        request: RequestKey | None = None,
    ) -> Proposal:
        """A proposal to the party at `peer`, a URL or IDENTITY@URL, stored and pending: the mailer sends it.
        backup: how we back it up, where it is not the configuration's way. request: that it is made for, if any.
        Raises a TermsError if we would not enter the deal ourselves, PeerUnavailable where nobody says who is
        there."""
        found = await self.peer(peer)
        proposal = await self.agreement.propose(
            Offer(name, role, legs, times, options, quorum=quorum, request=request), found.identity, found.url
        )
        if backup is not None:
            await self.store.book.back_up(proposal.id, backup)
        return proposal

    async def peer(self, text: str) -> Maker:
        """Another party, by its URL or IDENTITY@URL. Raises PeerUnavailable."""
        identity, _, url = text.rpartition("@")
        return Maker(identity or await self.post.identity(url), url)

    def quorum(self, members: Sequence[str] = ()) -> Quorum:
        """A quorum of these attesters, or of all in our configuration. Raises BadRequest."""
        found = sorted(members or self.settings.attesters)
        unknown = [member for member in found if member not in self.settings.attesters]
        if unknown or not found:
            raise BadRequest(f"the configuration has no attester {', '.join(unknown)}".rstrip())
        return Quorum(threshold_of(len(found)), tuple(found))

    async def agreed(self, proposal: str) -> str | None:
        """The id of the deal that a proposal became, None while it is none."""
        stage = (await self.store.book.proposal(proposal)).stage
        return stage.deal if isinstance(stage, Agreed) else None

    async def deals(self, everything: bool = False) -> tuple[Deal, ...]:
        """Open deals, or all of them, newest first."""
        return await self.store.history() if everything else await self.store.open_deals()


def load_seed(settings: Settings) -> Seed:
    """The party's seed. Raises a SeedError."""
    return seeds.load(settings.party.folder / SEED_FILE, passphrase(settings))


def attesters_of(settings: Settings, seed: Seed, wallets: Mapping[str, Wallet]) -> Attesters | None:
    """The way to the attesters of the configuration, if it has any."""
    from relayer.attest.client import HttpAttesters  # which knows the attester's side too

    return HttpAttesters(seed.identity(), wallets, settings.attesters) if settings.attesters else None


async def _open(chain: Chain, late: bool, unopened: dict[str, str]) -> None:
    try:
        await chain.open()
    except ChainUnavailable as error:
        if not late:
            raise
        log.warning("chain is down; it is tried again", chain=chain.name, reason=str(error))
        unopened[chain.name] = str(error)


def fee_policies(settings: Settings, chains: Mapping[str, Chain]) -> dict[str, FeePolicy]:
    """What a party may pay on each of its chains."""
    return {name: _fee_policy(settings, chain) for name, chain in chains.items()}


def _fee_policy(settings: Settings, chain: Chain) -> FeePolicy:
    limits = settings.fees.get(chain.name, FeeSettings())
    guards = guards_of({chain.name: chain.timing}, settings.risk.outage, settings.risk.miss)
    return FeePolicy(
        patience=guards.chains[chain.name].include,
        usual_cost=chain.fee(chain.usual_size, SAMPLE_PRICE),
        cap=limits.cap,
        share_permille=limits.share_permille,
        step=chain.price_step,
    )


def policies(settings: Settings) -> Policies:
    """What a party agrees to."""
    risk = settings.risk
    return Policies(
        Risk(risk.outage, risk.miss, risk.longest_lock, attesters=frozenset(settings.attesters)),
        AcceptPolicy(auto=settings.peer.accept == "all"),
    )


def _url(settings: Settings) -> str:
    return settings.peer.url or f"http://{settings.peer.listen}"
