"""Two parties on chains of paper, in one process, with a database each and HTTP between them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from chains.legs import Quorum
from htlc import timelocks
from htlc.protocols import protocol
from htlc.protocols.attested import ATTESTED
from htlc.terms import LegTerms
from settlement.agreement import Agreement, Offer
from settlement.gate import Gate
from settlement.limits import Limits
from settlement.mailer import Mailer
from settlement.offers import Conditions, Fixed, Place
from settlement.policy import AcceptPolicy, Policies, Risk
from settlement.post import Post
from settlement.releases import Releases
from settlement.seed import Seed
from settlement.shop import NoPrices, Shop
from settlement.store import Store
from settlement.taker import Maker, Taker
from tests.settlement.paper import TIMING, PaperChain
from tests.settlement.samples import AT

OUTAGE = 600
GUARDS = timelocks.guards({"bitcoin": TIMING, "evm": TIMING}, OUTAGE)


class Clock:
    def __init__(self) -> None:
        self.time = AT

    def now(self) -> float:
        return self.time


@dataclass
class Party:
    name: str
    store: Store
    chains: dict[str, PaperChain]
    clock: Clock
    policies: Policies
    seed: Seed
    agreement: Agreement = field(init=False)
    url: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.wallets: dict[str, Any] = {name: chain.wallet(self.seed.raw) for name, chain in self.chains.items()}
        self.build()

    def build(self) -> None:
        """What a process has in memory: as after a restart."""
        self.agreement = Agreement(
            self.store, self.chains, self.wallets, self.seed, self.policies, self.clock, self.url
        )
        self.releases = Releases(self.store, self.wallets, self.seed.identity(), self.clock)
        self.post = Post(self.identity, attempts=1)
        self.mailer = Mailer(self.store, self.agreement, self.releases, self.post)
        self.shop = Shop(self.agreement, self.limits, shop_ladder, NoPrices())
        self.taker = Taker(self.agreement, self.post, self.mailer)

    @property
    def identity(self) -> str:
        return self.seed.identity().public

    @property
    def maker(self) -> Maker:
        """How others find it as a maker of offers."""
        return Maker(self.identity, self.url)

    async def find(self, text: str) -> Maker:
        """Another party, by its URL."""
        return Maker(await self.post.identity(text), text)

    async def serve(self, stack: AsyncExitStack) -> None:
        """Listen on a free port of this machine."""
        runner = web.AppRunner(Gate(self.agreement, self.releases, shop=self.shop).application())
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = self.agreement.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        stack.push_async_callback(self.post.close)


def make(name: str, store: Store, clock: Clock, auto: bool = False) -> Party:
    chains = {chain: PaperChain(chain) for chain in ("bitcoin", "evm")}
    policies = Policies(Risk(outage=OUTAGE), AcceptPolicy(auto=auto))
    return Party(name, store, chains, clock, policies, Seed(hashlib.sha512(name.encode()).digest()))


@asynccontextmanager
async def two(folder: Path, auto: bool = False, serve: bool = True) -> AsyncIterator[tuple[Party, Party]]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        parties = []
        for name in ("alice", "bob"):
            store = await stack.enter_async_context(await Store.open(str(folder / f"{name}.db"), drive=True))
            party = make(name, store, clock, auto and name == "bob")
            if serve:
                await party.serve(stack)
            parties.append(party)
        yield parties[0], parties[1]


def shop_ladder(name: str, legs: Mapping[str, str], now: int, life: int) -> dict[str, int]:
    return timelocks.ladder(protocol(name), legs, GUARDS, now, life, slack=2 * OUTAGE + 90)


def conditions(**changes: Any) -> Conditions:
    """A call on a bitcoin of paper, sold in parts."""
    values: dict[str, Any] = {
        "kind": "call",
        "role": "writer",
        "networks": {},
        "underlying": Place("bitcoin", "native"),
        "money": Place("evm", "token"),
        "size": 10**8,
        "least": 10**6,
        "step": 10**5,
        "strike": 10**20,
        "premium": Fixed(10**18),
        "expiry": AT + 2 * 86_400,
        "until": AT + 86_400,
        **changes,
    }
    return Conditions(**values)


def swap(role: str = "initiator", **changes: Any) -> Offer:

    guards = GUARDS
    values: dict[str, Any] = {
        "protocol": "swap",
        "role": role,
        "legs": {"x": LegTerms("bitcoin", "native", 10**6), "y": LegTerms("evm", "token", 10**20)},
        "times": timelocks.swap_ladder("bitcoin", "evm", guards, AT, slack=0),
        "options": {},
        **changes,
    }
    return Offer(**values)


def attested(quorum: Quorum) -> Offer:
    """An attested option, proposed by its writer."""
    legs = option().legs
    times = timelocks.ladder(ATTESTED, {name: leg.chain for name, leg in legs.items()}, GUARDS, AT, life=3600)
    return Offer("attested", "writer", legs, times, {"kind": "call"}, quorum=quorum)


def option(role: str = "writer") -> Offer:
    guards = GUARDS
    return Offer(
        protocol="option",
        role=role,
        legs={
            "collateral": LegTerms("bitcoin", "native", 10**8),
            "premium": LegTerms("evm", "token", 10**18),
            "strike": LegTerms("evm", "token", 10**20),
        },
        times=timelocks.option_ladder("bitcoin", "evm", guards, AT, life=3600),
        options={"kind": "call", "releases": "yes"},
    )
