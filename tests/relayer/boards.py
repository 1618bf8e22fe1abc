"""Deals as a driver reports them, and a daemon that holds many, without a chain: what a board is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

from chains.legs import Leg
from chains.port import LegFacts
from htlc.driver import Report
from htlc.lineage import Attempts
from htlc.observer import Known, Observation
from htlc.ports import Deal
from htlc.protocols import protocol
from htlc.protocols.base import Facts, Now
from relayer.dashboard.coins import Coins
from relayer.health import ChainVitals, Vitals
from relayer.settings import ExplorerSettings
from tests.htlc.deals import GUARDS, NOW, SECRETS, funded, hashed, make_terms, spent, stance

EXPLORERS = {"bitcoin": ExplorerSettings(address="https://explorer.invalid/a/{address}?x=1")}


def deal(role: str = "holder", kind: str = "call", **more: object) -> Deal:
    terms = make_terms("option", kind=kind)
    return replace(Deal(terms.id, terms, role, GUARDS, {"bitcoin": 1, "evm": 1}, NOW), **more)


def report(agreed: Deal, facts: Mapping[str, LegFacts], *shown: str) -> Report:
    """What a driver makes of a deal whose legs stand like that."""
    legs = {name: Leg(leg.chain, leg.asset, leg.amount, bytes(32), ()) for name, leg in agreed.terms.legs.items()}
    spoken = protocol(agreed.terms.protocol)
    known = Known(spoken, legs, {name: f"address of {name}" for name in legs}, {}, frozenset())
    whole = {name: LegFacts() for name in legs} | facts
    view = spoken.derive(agreed.terms, Facts(whole, {hashed(label): SECRETS[label] for label in shown}))
    ours = stance(agreed.terms, agreed.role, will=agreed.will, limited=agreed.limited)
    seen = Observation(agreed, known, Attempts((), {}), whole, {}, view, ours, Now(NOW, NOW, {}))
    return Report(seen, (), ())


LIVE = {
    "collateral": funded("collateral"),
    "premium": spent("premium", "activate", "a"),
    "strike": funded("strike"),
}


class Paper:
    """A chain that knows its coin's decimals, and counts who asks."""

    family, timing = "paper", None

    def __init__(self, asked: list[str], name: str) -> None:
        self.asked, self.name = asked, name

    async def decimals(self, asset: str) -> int:
        self.asked.append(self.name)
        return 8


class Running:
    """A daemon between two looks, with open deals in it; also its party, driver, store and book."""

    def __init__(self, reports: dict[str, Report]) -> None:
        self.party = self.driver = self.store = self.book = self.pulse = self.clock = self
        self.ticks, self.identity, self.asked = 1, "aa" * 32, []
        self.reports, self.snapshots, self.live = reports, {}, frozenset({"bitcoin"})
        self.chains = {name: Paper(self.asked, name) for name in ("bitcoin", "evm")}
        self.settings = SimpleNamespace(
            chains={"bitcoin": {"coin": "bitcoin"}, "evm": {"tokens": {}}}, explorers=EXPLORERS
        )
        self.coins = Coins(self.chains, self.settings)
        self.wallets = {"bitcoin": SimpleNamespace(address="bcrt1")}
        self.held = {"bitcoin": {"native": 7}}
        self.histories = 0
        self.due = max(reports, default="")  # the deal of which something must be mined in seconds

    def vitals(self) -> Vitals:
        chain = ChainVitals(height=100, age=10, stale_after=60)
        found = {"bitcoin": chain, "evm": replace(chain, trouble="no answer")}
        due = {self.due: 5} if self.due else {}
        return Vitals(found, idle=1.0, stall=30.0, margins=due, margin=60)

    def now(self) -> float:
        return NOW + 0.5

    async def history(self, limit: int, closed: bool) -> tuple[Deal, ...]:
        self.histories += 1
        return (deal(outcome="expired"),)

    async def proposals(self, state: str, limit: int) -> tuple[()]:
        return ()


def many(number: int) -> Running:
    found = (deal(peer=str(at)) for at in range(number))
    return Running({f"{at:04x}": report(replace(one, id=f"{at:04x}"), LIVE, "a") for at, one in enumerate(found)})
