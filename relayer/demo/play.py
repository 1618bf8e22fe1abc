"""Plays a demo: starts the nodes and two parties, lets them agree and trade, and reads off what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chains.errors import StrikelockError
from chains.port import TxPhase
from htlc.errors import NoSuchDeal
from htlc.ports import Deal, Intent
from relayer.demo.plot import CHAIN_PAIRS, Outcome, Plot, plot
from relayer.party import Party
from relayer.testing.actors import Actor, AttesterActor
from relayer.testing.world import World
from settlement.store.store import Store

PACE = 0.25  # real seconds between two steps of the world
PATIENCE = 600.0  # real seconds for one demo
LIFE = 60  # seconds of the world's time that an option is promised to live
ATTESTERS = 3  # of an attested option

Say = Callable[[str], None]
Holdings = dict[str, int]  # "chain/asset" -> smallest units


@dataclass(eq=False)
class DemoFailed(StrikelockError):
    """The demo did not end as its outcome asks for."""

    reason: str
    logs: str
    template = "the demo failed: {reason} (logs in {logs})"


@dataclass(slots=True)
class Account:
    """What one party had, has and paid in fees."""

    before: Holdings = field(default_factory=dict)
    after: Holdings = field(default_factory=dict)
    fees: Holdings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that ended: the protocol's verdict as both parties read it, their accounts and transactions."""

    plot: Plot
    deal: str
    verdict: str
    accounts: Mapping[str, Account]
    transactions: tuple[tuple[str, Intent], ...]
    units: Mapping[str, str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The document of `demo --json`."""
        return {
            "outcome": self.plot.outcome.value,
            "verdict": self.verdict,
            "deal": self.deal,
            "parties": {
                role: {"before": account.before, "after": account.after, "fees": account.fees}
                for role, account in self.accounts.items()
            },
            "transactions": [self._transaction(role, intent) for role, intent in self.transactions],
            "seconds": round(self.seconds, 3),
        }

    def _transaction(self, role: str, intent: Intent) -> dict[str, Any]:
        final = intent.final
        return {
            "chain": intent.tx.chain,
            "leg": intent.leg,
            "step": intent.step,
            "party": role,
            "txid": intent.tx.txid,
            self.units[intent.tx.chain]: final.size if final else None,
            "fee": final.fee if final else None,
        }


async def play(protocol: str, outcome: Outcome, kind: str, pair: str, folder: Path, say: Say) -> Played:
    """One demo from start to end. `say` gets a line for each thing that happens. Raises DemoFailed, and what the
    nodes and parties raise."""
    began = time.monotonic()
    chains = CHAIN_PAIRS[pair]
    say(f"starting nodes for {' and '.join(chains)}")
    async with World(chains, folder) as world:
        say(f"nodes are up after {time.monotonic() - began:.1f} s; data and logs in {folder}")
        played = plot(protocol, outcome, kind, pair, world.tokens)
        count = ATTESTERS if protocol == "attested" else 0
        quorum = [AttesterActor(f"attester-{number + 1}", world, chains) for number in range(count)]
        urls = {attester.member: attester.url for attester in quorum}
        actors = {role: Actor(role, world, chains, attesters=urls) for role in played.roles}
        async with _running({**{attester.role: attester for attester in quorum}, **actors}, say):
            return await Play(played, world, actors, say).run(began)


@asynccontextmanager
async def _running(actors: Mapping[str, Actor], say: Say) -> AsyncIterator[None]:
    """The processes of both parties, and of attesters if there are any; ended in any case."""
    try:
        say("starting a process for each party")
        await asyncio.gather(*(actor.start() for actor in actors.values()))
        for role, actor in actors.items():
            say(f"the {role} listens at {actor.url}")
        yield
    finally:
        await asyncio.gather(*(actor.stop() for actor in actors.values()))


class Play:
    """One demo with everything running."""

    def __init__(self, plot: Plot, world: World, actors: Mapping[str, Actor], say: Say) -> None:
        self.plot = plot
        self.world = world
        self.actors = actors
        self.say = say
        self.seen: set[tuple[str, int, str]] = set()

    async def run(self, began: float) -> Played:
        accounts = {role: Account() for role in self.actors}
        async with self._parties() as parties:
            await self._pay(parties)
            for role, party in parties.items():
                accounts[role].before = await party.balances()
            deal = await self._agree(parties)
            verdict = await self._trade(deal, parties)
            await self.world.step()
            for role, party in parties.items():
                await party.look()
                accounts[role].after = await party.balances()
            stored = {role: await party.store.intents(deal) for role, party in parties.items()}
            units = {name: chain.size_unit for name, chain in parties[self.plot.roles[0]].chains.items()}
        for role, intents in stored.items():
            accounts[role].fees = _fees(intents)
        mined = [
            (role, intent)
            for role, intents in stored.items()
            for intent in intents
            if intent.final is not None and intent.final.phase is TxPhase.MINED
        ]
        mined.sort(key=lambda item: item[1].signed_at)
        seconds = time.monotonic() - began
        return Played(self.plot, deal, verdict, accounts, tuple(mined), units, seconds)

    @asynccontextmanager
    async def _parties(self) -> AsyncIterator[dict[str, Party]]:
        """The parties seen from outside their processes: their wallets' balances and their databases."""
        writer, holder = self.plot.roles
        async with (
            Party.open(self.actors[writer].settings, drive=False) as one,
            Party.open(self.actors[holder].settings, drive=False) as other,
        ):
            yield {writer: one, holder: other}

    async def _pay(self, parties: Mapping[str, Party]) -> None:
        """Give each party what it needs: money for its legs, and coins for fees."""
        self.say("paying both parties")
        for role, party in parties.items():
            for chain, wallet in party.wallets.items():
                await self.world.endow(chain, wallet.address, poor=role == self.plot.penniless)
        await self.world.step()
        for party in parties.values():
            await party.look()

    async def _agree(self, parties: Mapping[str, Party]) -> str:
        first, second = self.plot.roles
        proposer, acceptor = parties[first], self.actors[second]
        chains = {name: leg.chain for name, leg in self.plot.legs.items()}
        times = proposer.ladder(self.plot.protocol, chains, LIFE)
        legs, options, quorum = dict(self.plot.legs), {}, None
        if self.plot.protocol == "option":
            options["releases"] = "yes"
        if self.plot.protocol == "attested":
            quorum = proposer.quorum()
            self.say(f"no strike is locked until exercise, and then {quorum.threshold} attesters must see it")
        if self.plot.protocol != "swap":
            options["kind"] = self.plot.kind
            quote = await proposer.quote(self.plot.kind, legs, times, self.plot.market)
            legs["premium"] = replace(legs["premium"], amount=quote.premium.units)
            self.say(
                f"at the money, for {quote.hours * 60:.1f} minutes and a volatility of {self.plot.market.vol:.0%}"
                f", the premium is {quote.premium.units:,} units of {quote.premium.asset.symbol}"
            )
        proposal = await proposer.propose(self.plot.protocol, first, legs, options, times, acceptor.url, quorum)
        self.say(f"the {first} proposes the deal to the {second}")
        return await self._bounded(lambda: proposer.agreed(proposal.id), "the parties did not agree")

    async def _trade(self, deal: str, parties: Mapping[str, Party]) -> str:
        self.say(f"deal {deal} is agreed; blocks come every {PACE} s now")
        verdicts: dict[str, str] = {}

        async def over() -> str | None:
            await self.world.step()
            for role, party in parties.items():
                verdict = await self._follow(role, party.store, deal)
                if verdict is not None:
                    verdicts[role] = verdict
            return ", ".join(sorted(set(verdicts.values()))) if len(verdicts) == len(parties) else None

        verdict = await self._bounded(over, "the deal did not end")
        if verdict != self.plot.verdict:
            raise DemoFailed(f"the outcome is {verdict}, not {self.plot.verdict}", str(self.world.folder))
        return verdict

    async def _follow(self, role: str, store: Store, deal: str) -> str | None:
        """Say what a party newly signed and what became final, let it want what the plot says, and return how the
        deal ended for it."""
        try:
            own = await store.deal(deal)
        except NoSuchDeal:
            return None
        intents = await store.intents(deal)
        for intent in intents:
            self._narrate(role, intent)
        await self._steer(role, own, store, intents)
        if own.outcome is not None and (role, -1, "closed") not in self.seen:
            self.seen.add((role, -1, "closed"))
            self.say(f"the {role} closes the deal: {own.outcome}")
        return own.outcome

    def _narrate(self, role: str, intent: Intent) -> None:
        if (role, intent.number, "signed") not in self.seen:
            self.seen.add((role, intent.number, "signed"))
            self.say(f"the {role} signs {intent.leg}/{intent.step} on {intent.tx.chain}: {intent.tx.txid}")
        final = intent.final
        if final is not None and (role, intent.number, "final") not in self.seen:
            self.seen.add((role, intent.number, "final"))
            self.say(f"  {intent.leg}/{intent.step} of the {role} is {final.phase.value} for good")

    async def _steer(self, role: str, own: Deal, store: Store, intents: tuple[Intent, ...]) -> None:
        stands = any(intent.final is not None for intent in intents)
        will = self.plot.will(role, stands=stands, live=bool(own.preimages))
        if own.outcome is None and own.will != will and own.will == type(will)():
            await store.resolve(own.id, will)
            self.say(f"the {role} decides: {'exercise' if will.exercise else 'go no further'}")

    async def _bounded(self, ask: Callable[[], Any], failure: str) -> str:
        """Ask until there is an answer, at the world's pace."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            began = time.monotonic()
            answer: str | None = await ask()
            if answer is not None:
                return answer
            for actor in self.actors.values():
                if not actor.running:
                    raise DemoFailed(f"the {actor.role}'s process ended: {actor.tail(5)}", str(self.world.folder))
            await asyncio.sleep(max(0.0, PACE - (time.monotonic() - began)))
        raise DemoFailed(failure, str(self.world.folder))


def _fees(intents: tuple[Intent, ...]) -> Holdings:
    """What a party paid to miners, by chain, in the native coin."""
    fees: Holdings = {}
    for intent in intents:
        if intent.final is not None and intent.final.phase is TxPhase.MINED:
            key = f"{intent.tx.chain}/native"
            fees[key] = fees.get(key, 0) + intent.final.fee
    return fees
