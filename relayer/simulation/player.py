"""An honest party: the real driver on a journal, and everything that happens to the machine it runs on."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from chains.errors import ChainError
from chains.port import SignedTx
from chains.simulated.keys import secret_of
from chains.simulated.node import Node
from htlc.driver import Driver
from htlc.fees import SAMPLE_PRICE, FeePolicy
from htlc.ports import FUND, Intent
from htlc.protocols.base import GiveConsent, Swear, Vow
from relayer.simulation.checks import TOKEN_CAP
from relayer.simulation.mortal import Death, MortalChain, MortalJournal
from relayer.simulation.plan import BEGIN, PartyPlan, Window
from relayer.simulation.shelf import Shelf

if TYPE_CHECKING:
    from relayer.simulation.world import World

SLACK = 1.2  # of a price: what fees of whole units and a wallet's own bump may add
SOON = 0.5  # seconds between a block and the look at it
ASKS_AGAIN = (Swear, GiveConsent)
AGAIN = 4  # ticks in a row, where one asks for the next


class Player:
    """One party. It is also its own watch: see `relayer.simulation.mortal.Watch`."""

    def __init__(self, world: World, plan: PartyPlan, shelf: Shelf) -> None:
        self.world = world
        self.plan = plan
        self.role = plan.role
        self.owner = plan.role
        self.rng = Random(plan.seed)
        self.shelf = shelf
        self.nodes = {
            name: Node(self.owner, ledger, self.rng, world.judge.faults) for name, ledger in world.ledgers.items()
        }
        if plan.bad_node:
            self._spoil()
        self.wake: float = BEGIN + self.rng.uniform(0, 5)
        self.steps = 0
        self.commits = 0
        self.alive = False
        self.was_limited = False
        self.vows: set[Vow] = set()
        self.attested: set[tuple[str, str]] = set()  # (leg, path) that the quorum signed for us
        self._called = False
        self.rebooted = False
        self._restarted = False
        self.outcome: str | None = None
        self.signed: dict[str, tuple[str, str]] = {}
        self.flying: dict[str, SignedTx] = {}
        self._bids: dict[tuple[str, str], tuple[float, int]] = {}  # when, and the price
        self._wishes = list(plan.wishes)
        self._windows = list(plan.windows)
        self._window: Window | None = None
        self._clear_since: float = 0.0
        self._pause = 4 * max(spec.timing.interval for spec in world.plan.specs)
        self._last_step = ""
        self.spoken = world.spoken
        self.legs = world.legs
        self.driver: Driver

    # --- time --------------------------------------------------------------------------------------------

    @property
    def out(self) -> bool:
        """It can't be counted on to raise a bid now."""
        return not self.alive or self._window is not None

    def now(self) -> float:
        return self.world.now

    async def turn(self) -> None:
        """Its machine's moment: trouble begins or ends, its user wants something, it looks."""
        now = self.world.now
        await self._weather(now)
        while self.alive and self._wishes and self._wishes[0][0] <= now:
            await self._wish()
        if self.alive:
            await self._look()
        self.wake = self._next(now)

    async def _wish(self) -> None:
        _, will = self._wishes.pop(0)
        self.world.judge.say(f"{self.role} wants {will}")
        await self.shelf.journal.resolve(self.world.deal, will)

    async def _weather(self, now: float) -> None:
        if self._window is not None and now >= self._window.end:
            self._clear()
        if self._window is None and self._windows and now >= self._windows[0].begin:
            self._cloud(self._windows.pop(0))
            if self._window is not None and self._window.kind == "crash":
                await self.die()
                self.world.judge.saw("restart in the middle of a deal")
        if not self.alive and (self._window is None or self._window.kind != "crash"):
            await self.start()

    def _cloud(self, window: Window) -> None:
        self._window = window
        self.world.judge.faults[window.kind] += 1
        self.world.judge.say(f"{self.role}: {window.kind} for {window.end - window.begin:.0f} s")
        for name, node in self.nodes.items():
            match window.kind:
                case "dark":
                    node.faults.dark = True
                case "dark one":
                    node.faults.dark = name == window.chain
                case "lag":
                    node.faults.lag = self.rng.randint(1, 6) if name == window.chain else 0
                case "flaky":
                    node.faults.flaky = 0.3
                case "stuck" if name == window.chain:
                    node.faults.stuck = node.height

    def _clear(self) -> None:
        self._window = None
        self._clear_since = self.world.now
        for node in self.nodes.values():
            node.faults.dark = False
            node.faults.lag = 0
            node.faults.flaky = 0.0
            node.faults.stuck = None

    def ambush(self) -> None:
        """It is out when that hurts most: from now on, for as long as it may be. It looked once in between."""
        now, outage = self.world.now, self.world.outage
        clash = any(window.begin < now + outage + self._pause for window in self._windows)
        if self._window is None and not clash and now > self._clear_since + self._pause:
            kind = self.rng.choice(("crash", "dark", "dark one", "stuck"))
            chain = self.rng.choice(sorted(self.nodes))
            self._windows.insert(0, Window(now, now + outage, kind, chain))
            self.wake = min(self.wake, now + 0.01)

    def call(self) -> None:
        """Something came that it waited for."""
        self._called = True
        self.wake = min(self.wake, self.world.now + SOON)

    def _spoil(self) -> None:
        for node in self.nodes.values():
            node.faults.lossy = self.rng.choice((0.0, 0.3))
            node.faults.ambiguous = self.rng.choice((0.0, 0.3))
            node.faults.slander = self.rng.choice((0.0, 0.3))
            node.faults.fee_lie = self.rng.choice((1.0, 1.0, 0.7, 5.0))

    def calm(self) -> None:
        """The second phase: nothing goes wrong any more."""
        self._windows.clear()
        self.plan.deaths.clear()
        self._clear()
        for node in self.nodes.values():
            node.faults.lossy = node.faults.ambiguous = node.faults.slander = 0.0
            node.faults.fee_lie = 1.0

    def _next(self, now: float) -> float:
        """When it looks again: with the next block of a chain on which something is under way, or some time."""
        if self._restarted or self._called:
            self._called = False
            return now + SOON  # who wakes up looks first
        rng = self.rng
        wakes = [now + self.world.outage * rng.uniform(0.8, 1.0)]
        if self._window is not None:
            wakes.append(self._window.end)
            if self._window.kind in ("crash", "dark"):
                return self._window.end
        elif self._windows:
            wakes.append(max(self._windows[0].begin, now + SOON))
        if self._wishes and self.alive:
            wakes.append(max(self._wishes[0][0], now + SOON))
        wakes += [self.world.ledgers[c].next + SOON * rng.random() for c in self.world.busy(self)]
        return max(min(wakes), now + 0.01)

    # --- the machine -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """The process starts on what is stored."""
        world = self.world
        await self.shelf.open()
        self.chains = {
            name: MortalChain(ledger, self.nodes[name], self.now, self) for name, ledger in world.ledgers.items()
        }
        wallets = {name: chain.wallet(self.plan.seed) for name, chain in self.chains.items()}
        self.wallets = wallets
        self.fees = {name: self._fee_policy(chain) for name, chain in self.chains.items()}
        self.journal = MortalJournal(self.shelf.journal, self)
        self.driver = world.make_driver(
            self.journal, self.chains, wallets, self._secret, self, world.post(self), self.fees
        )
        self.alive = True

    def _fee_policy(self, chain: MortalChain) -> FeePolicy:
        return FeePolicy(
            patience=self.world.guards.chains[chain.name].include,
            usual_cost=chain.fee(chain.usual_size, SAMPLE_PRICE),
            cap=TOKEN_CAP,
            step=chain.price_step,
        )

    def _secret(self, nonce: bytes, label: str) -> bytes:
        return secret_of(self.plan.seed, nonce, label)

    async def die(self) -> None:
        """kill -9."""
        if self.alive:
            self.alive = False
            self.rebooted = True
            await self.driver.close()
            await self.shelf.close()

    async def _look(self) -> None:
        try:
            for _ in range(AGAIN):
                await self.driver.tick()
                self._restarted = False
                report = self.driver.reports.get(self.world.deal)
                if report is None or not [one for one in report.actions if isinstance(one, ASKS_AGAIN)]:
                    break
        except Death:
            await self._died()
            return
        self._note()

    async def _died(self) -> None:
        self.world.judge.say(f"{self.role} dies at step {self.steps}, {self._last_step}")
        await self.die()
        self.world.judge.saw("restart in the middle of a deal")
        restored = self.plan.restore is not None and await self.shelf.restore()
        await self.start()
        self._restarted = True
        if restored:
            self.plan.restore = None
            self.world.judge.faults["backup restored"] += 1
            if self.shelf.stale:
                self.was_limited = True
                self.world.judge.saw("a stale backup was restored")

    def _note(self) -> None:
        report = self.driver.reports.get(self.world.deal)
        if report is not None and report.observation.shown:
            spends = [spend for facts in report.observation.facts.values() for spend in facts.spends]
            if any(spend.depth == 0 and spend.preimages for spend in spends):
                self.world.judge.saw("a preimage was read from the mempool")
        if report is not None and self.world.judge.transcript is not None:
            doing = [str(action) for action in report.actions] + list(report.troubles)
            self.world.judge.say(f"{self.world.now - BEGIN:8.0f} {self.role}: {'; '.join(doing) or '-'}")

    async def receive(self, leg: str, path: str, consent: str) -> bool:
        """A message with a release, true or not; whether it arrived. As `settlement.releases` takes it."""
        if not self.alive or self._window is not None:
            return False
        terms = self.world.terms
        built = self.legs.get(leg)
        signers = self.spoken.signer_keys(leg, path) if built and any(p.name == path for p in built.paths) else ()
        theirs = [terms.key(role, label) for role, label in signers if role != self.role]
        if built is None or not theirs or self.spoken.recipient_key(leg, path)[0] != self.role:
            self.world.judge.saw("a bad release was refused")
            return True
        try:
            good = await self.wallets[built.chain].check_consent(built, path, theirs[0], consent)
        except ChainError:
            return False
        if not good:
            self.world.judge.saw("a bad release was refused")
        elif (await self.shelf.journal.deal(self.world.deal)).outcome is None:
            await self.shelf.journal.hold_consent(self.world.deal, leg, path, consent)
            self.wake = min(self.wake, self.world.now + 1)
        return True

    # --- its steps, watched ------------------------------------------------------------------------------

    def before(self, step: str) -> None:
        self.steps += 1
        self._last_step = f"before {step}"
        if self.plan.deaths.get(self.steps) is True:
            del self.plan.deaths[self.steps]
            self.world.judge.faults[f"death before {step}"] += 1
            if step == "broadcast":
                self.world.judge.saw("restart between intent and broadcast")
            raise Death

    def after(self, step: str) -> None:
        self._last_step = f"after {step}"
        if step != "broadcast":
            self.commits += 1
            if self.plan.restore == self.commits:
                self.shelf.back_up()
        if self.plan.deaths.get(self.steps) is False:
            del self.plan.deaths[self.steps]
            self.world.judge.faults[f"death after {step}"] += 1
            if step == "broadcast":
                self.world.judge.saw("restart right after a broadcast")
            raise Death

    def stale(self) -> None:
        self.world.judge.saw("a tip was stale")

    def sending(self, tx: SignedTx) -> None:
        self.world.sending(self, tx)

    def swore(self, deal: str, vow: Vow) -> None:
        self.vows.add(vow)
        self.world.judge.saw("a vow was sworn")

    def gave(self, deal: str, leg: str, path: str) -> None:
        self.world.checks.signing(self, leg, path)

    def _sober(self, intent: Intent) -> None:
        """Whoever returns from an outage starts a climb anew, and does not bid the leg at once."""
        step, tx = (intent.leg, intent.step), intent.tx
        chain, policy, now = self.chains[tx.chain], self.fees[tx.chain], self.world.now
        before, last = self._bids.get(step, (None, 0))
        self._bids[step] = (now, tx.price)
        if before is None or intent.step == FUND or now - before <= policy.pause + 1:
            return
        if chain.looked[0] is not None and now - chain.looked[0] <= policy.pause + 1:
            return
        lie = max(self.nodes[tx.chain].faults.fee_lie, 1.0)
        most = SLACK * max(self.world.ledgers[tx.chain].market.urgent * lie, policy.least(last))
        self.world.judge.saw("a bid was raised after an outage")
        self.world.judge.check(tx.price <= most, "sober", f"{self.role} bid {tx.price} for {step}, {last} before")

    def stored(self, intent: Intent) -> None:
        self._sober(intent)
        self.signed[intent.tx.txid] = (intent.leg, intent.step)
        if sum(1 for step in self.signed.values() if step == (intent.leg, intent.step)) == 2:
            self.world.judge.saw("a replacement was signed")

    async def closed(self, deal: str, outcome: str) -> None:
        self.world.checks.closing(self, outcome)
        self.outcome = outcome
