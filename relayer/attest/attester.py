"""A member of quorums: attests that the strike of a deal is there, by signing the collateral's exercise.

It is asked with the deal's descriptor, and relies on nobody: the legs follow from the terms, what stands at them
it sees at nodes of its own, and the key it signs with follows from its own key and the whole of the terms
(`chains.quorum`), so that a signature got with other terms than the writer's is of no use. It can't take
anything: an exercise needs the holder's signature and preimage as well.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from chains.legs import Leg
from chains.port import Chain, Key, LegFacts, Snapshot, Wallet
from chains.quorum import deal_member, deal_secret
from chains.registry import make_chain
from htlc.protocols.attested import ATTESTED
from htlc.protocols.base import Funded
from htlc.protocols.option import COLLATERAL, EXERCISE, STRIKE
from htlc.protocols.rules import leg_state
from htlc.terms import Terms
from relayer.attest.errors import NotOurQuorum, NotYet, TooLate
from relayer.party import LocalClock
from relayer.settings import Settings
from settlement.backup import Descriptor, check_chains, read_raw, write_file
from settlement.errors import DescriptorUnavailable
from settlement.seed import Seed, public_member

log = structlog.get_logger(__name__)

FOLDER = "attestations"
SUFFIX = ".attestation.json"
FORM = "strikelock-attestation/1"
MAX_BYTES = 1_000_000
MOST_WATCHED = (
    256  # deals whose legs are followed at a time; a deal that drops out is read anew when it is asked for
)


class Attester:
    """One member. secret: its own key. longest: seconds before now in which a deal's leg may have been funded."""

    def __init__(
        self,
        secret: bytes,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        folder: Path,
        longest: int,
    ) -> None:
        self.member = public_member(secret)
        self._secret = secret
        self._chains = chains
        self._wallets = wallets
        self._folder = folder
        self._longest = longest
        self._watched: OrderedDict[bytes, Mapping[str, Leg]] = OrderedDict()
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, seed: Seed) -> AsyncIterator[Attester]:
        """Open the chains of a configuration. Raises what a node of the wrong network raises."""
        clock = LocalClock(settings.testing.clock_offset_file)
        async with AsyncExitStack() as stack:
            chains = {name: make_chain(name, section, clock.now) for name, section in settings.chains.items()}
            for chain in chains.values():
                stack.push_async_callback(chain.close)
            await asyncio.gather(*(chain.open() for chain in chains.values()))
            wallets = {name: chain.wallet(seed.raw) for name, chain in chains.items()}
            folder = settings.party.folder / FOLDER
            yield cls(seed.attester(), chains, wallets, folder, settings.risk.longest_lock)

    async def attest(self, descriptor: Descriptor) -> str:
        """Our signature of the deal's exercise, if its strike is full and final now; what we gave once we give
        again. Raises NotOurQuorum, NotYet, TooLate, WrongChain, a LegError, ChainUnavailable."""
        deal = descriptor.deal
        legs = self._check(deal.id, deal.terms)
        async with self._turn:
            await self._watch(deal.terms, legs, deal.since)
            looks = {name: await self._chains[name].look() for name in deal.terms.networks}
            try:
                self._demand(legs, looks)
            except (NotYet, TooLate):
                given = await asyncio.to_thread(self._given, deal.terms)
                if given is None:
                    raise
                return given
            return await self._sign(deal.id, deal.terms, legs, looks)

    def follows(self, descriptor: Descriptor) -> bool:
        """The deal's legs are followed already, so that a question about it costs no look into the past."""
        return descriptor.deal.terms.digest in self._watched

    # --- what is checked -----------------------------------------------------------------------------------

    def _check(self, deal: str, terms: Terms) -> Mapping[str, Leg]:
        """The legs that the terms give. The terms were validated when the descriptor was read."""
        if terms.protocol != ATTESTED.name or terms.quorum is None or self.member not in terms.quorum.members:
            raise NotOurQuorum(deal, self.member)
        check_chains(terms, self._chains)
        legs = ATTESTED.legs(terms)
        for leg in legs.values():
            self._chains[leg.chain].check(leg)
        return legs

    async def _watch(self, terms: Terms, legs: Mapping[str, Leg], since: Mapping[str, int]) -> None:
        """Follow the deal's collateral and strike from now on, in place of the deal longest not asked for."""
        if terms.digest in self._watched:
            self._watched.move_to_end(terms.digest)
            return
        for name in (COLLATERAL, STRIKE):
            chain = self._chains[legs[name].chain]
            first = (await chain.look()).tip.height - int(self._longest / chain.timing.interval)
            await chain.watch(legs[name], max(since[chain.name], first, 0))
        self._watched[terms.digest] = legs
        if len(self._watched) > MOST_WATCHED:
            _, old = self._watched.popitem(last=False)
            for name in (COLLATERAL, STRIKE):
                await self._chains[old[name].chain].unwatch(old[name])

    def _demand(self, legs: Mapping[str, Leg], looks: Mapping[str, Snapshot]) -> None:
        """The strike is full, unspent and final, and the collateral stands where it can't be refunded yet."""
        strike, collateral = legs[STRIKE], legs[COLLATERAL]
        depth = self._chains[strike.chain].timing.depth
        found = self._deep(strike, looks)
        if found < depth:
            raise NotYet(STRIKE, f"it is {found} blocks deep, {depth} are needed")
        if not self._deep(collateral, looks):
            raise NotYet(COLLATERAL, "nothing stands there that could be exercised")
        refund, time = collateral.path("refund").after, looks[collateral.chain].tip.time
        if refund is not None and time > refund:
            raise TooLate(refund, time)

    def _deep(self, leg: Leg, looks: Mapping[str, Snapshot]) -> int:
        """How deep a full and unspent leg is; 0 where it is not."""
        address = self._chains[leg.chain].address(leg).address
        state = leg_state(leg.amount, looks[leg.chain].legs.get(address, LegFacts()))
        return state.depth if isinstance(state, Funded) else 0

    # --- what is signed ------------------------------------------------------------------------------------

    async def _sign(self, deal: str, terms: Terms, legs: Mapping[str, Leg], looks: Mapping[str, Snapshot]) -> str:
        """Sign for what stands at the collateral, and have it on disk before it leaves the machine."""
        leg, digest = legs[COLLATERAL], terms.digest
        key = Key(deal_member(self.member, digest), deal_secret(self._secret, digest))
        consent = await self._wallets[leg.chain].consent(leg, EXERCISE, key)
        tip = looks[legs[STRIKE].chain].tip
        record = {
            "form": FORM,
            "deal": deal,
            "terms": terms.to_json(),
            "strike_seen_at": {"height": tip.height, "block": tip.hash, "time": tip.time},
            "consent": consent,
        }
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        await asyncio.to_thread(write_file, self._file(terms), text)
        log.info("attested", deal=deal, chain=leg.chain, strike_height=tip.height)
        return consent

    def _given(self, terms: Terms) -> str | None:
        """What we signed for these terms before."""
        try:
            record = json.loads(read_raw(self._file(terms), MAX_BYTES))
            return str(record["consent"]) if record["terms"] == terms.to_json() else None
        except DescriptorUnavailable:
            return None
        except (ValueError, KeyError, TypeError) as error:
            log.warning("a file of ours is damaged", file=str(self._file(terms)), reason=repr(error))
            return None

    def _file(self, terms: Terms) -> Path:
        return self._folder / f"{terms.digest.hex()}{SUFFIX}"
