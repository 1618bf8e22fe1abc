"""One run: two chains, two parties, one deal, and time. Nothing in it is random but what the seed says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import sha256
from operator import attrgetter
from random import Random

from chains.legs import NATIVE, hash_of
from chains.port import SignedTx, Wallet
from chains.simulated.account import AccountLedger
from chains.simulated.chain import TOKEN
from chains.simulated.keys import secret_of, short
from chains.simulated.ledger import Ledger
from chains.simulated.node import address_of
from chains.simulated.spec import ChainSpec
from chains.simulated.utxo import UtxoLedger
from htlc.driver import Driver
from htlc.errors import PeerUnavailable
from htlc.fees import FeePolicy
from htlc.look import SecretOf
from htlc.ports import Clock, Deal, Journal, Peer
from htlc.protocols import protocol
from relayer.simulation import losses
from relayer.simulation.checks import Checks
from relayer.simulation.judge import Judge
from relayer.simulation.loop import VirtualLoop
from relayer.simulation.mortal import MortalChain
from relayer.simulation.plan import BEGIN, Plan
from relayer.simulation.player import Player
from relayer.simulation.quorum import Members, WayToMembers
from relayer.simulation.rogue import Rogue
from relayer.simulation.shelf import MemoryShelf, Shelf

RICH = 10**22
NEVER = float("inf")
SLOWEST = 0.9  # of the time that a block may take; the rest is for the other chain's part of waits on both
_WAKE = attrgetter("wake")
COINS = (15 * 10**7, 11 * 10**7, 6 * 10**7, 10**7)


class Post:
    """The way from one party to the other."""

    def __init__(self, world: World, sender: Player) -> None:
        self._world = world
        self._sender = sender

    async def send_consent(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        if not await self._world.deliver(self._sender, leg, path, consent):
            raise PeerUnavailable("simulated", "it does not answer")


class World:
    """now: UNIX seconds. public: preimages that were ever shown, by hash. secrets: all preimages, by hash; spelt:
    how each would look in a text."""

    driver_class: type[Driver] = Driver

    def __init__(self, plan: Plan, loop: VirtualLoop, judge: Judge) -> None:
        self.plan = plan
        self.judge = judge
        self.terms = plan.terms
        self.guards = plan.guards
        self.outage = plan.guards.outage
        self.last = plan.last
        self.deal = plan.terms.id
        self.now: float = BEGIN
        self.rng = Random(plan.seed ^ 0x5EED)
        self.spoken = protocol(plan.terms.protocol)
        self.legs = self.spoken.legs(plan.terms)
        self.addresses = {name: address_of(leg) for name, leg in self.legs.items()}
        times = plan.terms.times
        self._sites = {
            spec.name: [
                (self.addresses[name], times.get(name, NEVER))
                for name, leg in plan.terms.legs.items()
                if leg.chain == spec.name
            ]
            for spec in plan.specs
        }
        self.ledgers = {spec.name: make_ledger(spec, self.rng) for spec in plan.specs}
        self.pause = min(spec.timing.interval for spec in plan.specs)
        self.public: dict[bytes, bytes] = {}
        self.secrets = dict(self._secrets())
        self.spelt = [(value, secret.hex(), repr(secret)) for value, secret in self.secrets.items()]
        self._loop = loop
        self._base = loop.time() - BEGIN
        self._moved = dict.fromkeys(self.ledgers, -1)
        self._reorgs = dict.fromkeys(self.ledgers, plan.reorgs)
        self._calm_since = dict.fromkeys(self.ledgers, 0.0)
        self._quiet_from = float("inf")
        for ledger in self.ledgers.values():
            ledger.market.spike_chance = plan.spikes
        if plan.slow:
            self._slow_down(plan.slow)
        self.checks = Checks(self)
        self.members = Members(self, plan.quorum) if plan.quorum is not None else None
        self.players: list[Player] = []
        self.actors: list[Player | Rogue] = []
        self._everybody: list[Player | Rogue] = []  # also those who are done

    def _slow_down(self, name: str) -> None:
        """Every block of a chain comes as late as the ladder has room for, and the other's as usual."""
        timing, guard = self.ledgers[name].spec.timing, self.guards.chains[name]
        include, final = guard.include / timing.inclusion, guard.final / (timing.inclusion + timing.depth - 1)
        self.ledgers[name].pace = SLOWEST * min(include, final)
        self.judge.faults["slow chain"] += 1

    def _secrets(self) -> list[tuple[bytes, bytes]]:
        found = []
        for party in self.plan.parties:
            contribution = self.terms.parties[party.role]
            for label in contribution.hashes:
                secret = secret_of(party.seed, contribution.nonce, label)
                found.append((sha256(secret).digest(), secret))
        return found

    # --- the run -----------------------------------------------------------------------------------------

    async def run(self, shelf: Callable[[str], Shelf] | None = None, agreed: bool = False) -> None:
        """Play the deal to its end. shelf: where a role's journal lies; in memory unless given. agreed: the deal
        lies there already."""
        await asyncio.sleep(0)  # from here on the loop runs
        await self._people(shelf or (lambda _: MemoryShelf()), agreed)
        calmed = False
        horizon = self.horizon()
        while self.players and not self._over():
            actor = min(self.actors, key=_WAKE)
            if actor.wake > horizon:
                break
            if actor.wake > self.last and not calmed:
                calmed = True
                self._calm()
            await self._loop.sleep_until(self._base + actor.wake)
            self.now = max(self.now, actor.wake)
            self._advance()
            if not calmed:
                self._nature()
            self._stir(None)
            await actor.turn()
            self._stir(actor)
        for player in self.players:
            await player.die()
        self._end()

    async def _people(self, shelf: Callable[[str], Shelf], agreed: bool) -> None:
        for ledger in self.ledgers.values():
            ledger.advance(self.now)
        for party in self.plan.parties:
            self._endow(party.seed)
            if party.rogue:
                self.actors.append(Rogue(self, party))
                self._everybody.append(self.actors[-1])
                continue
            player = Player(self, party, shelf(party.role))
            self.actors.append(player)
            self._everybody.append(player)
            self.players.append(player)
            since = {name: ledger.height for name, ledger in self.ledgers.items()}
            deal = Deal(self.deal, self.terms, party.role, self.guards, since, BEGIN, will=party.will)
            await player.start()
            if agreed:
                await player.shelf.journal.resolve(deal.id, party.will)
            else:
                await player.shelf.add(deal)
            if player.shelf.real:
                self.judge.saw("the driver worked on a real database")

    def _endow(self, seed: bytes) -> None:
        for name, ledger in self.ledgers.items():
            if isinstance(ledger, AccountLedger):
                for asset in (NATIVE, TOKEN):
                    ledger.endow(f"{name}-account-{short(seed)}", asset, RICH)
            elif isinstance(ledger, UtxoLedger):
                ledger.endow(f"{name}-wallet-{short(seed)}", COINS)

    @property
    def loop_now(self) -> float:
        """UNIX seconds, also between two turns."""
        return self._loop.time() - self._base

    def horizon(self) -> int:
        """The last deadline and a margin: whoever is refunded by then has been out once more before."""
        guards = self.guards.chains.values()
        return self.last + 2 * self.outage + 2 * max(guard.lag + guard.final for guard in guards)

    def _over(self) -> bool:
        """Every deal is closed, and an adversary had time to take what was left to it."""
        for player in self.players:
            if player.outcome is None:
                return False
        if len(self.players) == 2:
            return True
        self._quiet_from = min(self._quiet_from, self.now)
        return self.now > min(self.last, self._quiet_from + 3 * self.outage)

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not any(ledger.pool for ledger in self.ledgers.values())

    def _advance(self) -> None:
        for ledger in self.ledgers.values():
            if ledger.next <= self.now:
                if ledger.pool:
                    ledger.census.down = {actor.owner for actor in self.actors if actor.out}
                ledger.advance(self.now)

    def _stir(self, mover: Player | Rogue | None) -> None:
        """Whoever sleeps is woken by what moved, but for the one who moved it."""
        for name, ledger in self.ledgers.items():
            if ledger.moved == self._moved[name]:
                continue
            self._moved[name] = ledger.moved
            for actor in self.actors:
                asleep = actor.wake > self.now + 1 and not (isinstance(actor, Player) and not actor.alive)
                if asleep and actor is not mover:
                    soon = self.rng.random() < 0.4
                    moment = self.now + self.rng.uniform(0.2, 5.0) if soon else ledger.next + self.rng.random()
                    actor.wake = min(actor.wake, moment)
        if isinstance(mover, Player) and mover.outcome is not None:
            self.actors.remove(mover)

    # --- nature ------------------------------------------------------------------------------------------

    def _nature(self) -> None:
        """Reorganisations where something is under way; censorship for a while."""
        if not self.plan.faulty:
            return
        for name, ledger in self.ledgers.items():
            depth = ledger.spec.timing.depth
            due = self._reorgs[name] and self.now >= self._calm_since[name]
            if due and ledger.fresh_blocks(depth - 1) and self.rng.random() < 0.12:
                self._reorgs[name] -= 1
                self._calm_since[name] = self.now + self.guards.chains[name].final
                self._reorganise(ledger, self.rng.randint(1, depth - 1))
            if self.plan.censorship and ledger.pool and self.rng.random() < self.plan.censorship:
                owner = self.rng.choice([party.role for party in self.plan.parties])
                ledger.census.censored[owner] = ledger.height + self.rng.randint(1, 6)
            if self.plan.shut and ledger.pool and self.rng.random() < self.plan.shut:
                leg = self.rng.choice(sorted(self.addresses))
                ledger.census.shut[self.addresses[leg]] = ledger.height + self.rng.choice((10, 100, 10_000))

    def _reorganise(self, ledger: Ledger, depth: int) -> None:
        rogues = frozenset(actor.owner for actor in self.actors if isinstance(actor, Rogue))
        vanish = rogues if self.rng.random() < 0.6 else frozenset[str]()
        claims = [
            tx for h in range(ledger.height - depth + 1, ledger.height + 1) for tx in ledger.bodies.get(h, [])
        ]
        gone = ledger.reorganise(depth, vanish, self.rng.choice((0.0, 0.5)))
        self.judge.say(f"{self.now - BEGIN:8.0f} {ledger.spec.name}: {depth} blocks replaced, {gone} undone")
        self.judge.faults["reorganisation"] += 1
        self.judge.saw("reorganisation")
        if gone:
            self.judge.saw("reorganisation undid a transaction")
        if any(tx.preimages for tx in claims):
            self.judge.saw("reorganisation crossed a claim")

    def _calm(self) -> None:
        """The second phase."""
        for player in self.players:
            player.calm()
        for ledger in self.ledgers.values():
            ledger.census.censored.clear()
            ledger.census.shut.clear()
            ledger.market.spike_chance = 0.0

    def ambush(self) -> None:
        """The other party did something that must be seen in time."""
        if self.now < self.last and self.rng.random() < self.plan.ambush:
            for player in self.players:
                player.ambush()

    # --- what parties ask ----------------------------------------------------------------------------------

    def busy(self, player: Player) -> list[str]:
        """Chains whose next block a party waits for."""
        return [name for name, ledger in self.ledgers.items() if self._under_way(player, name, ledger)]

    def _under_way(self, player: Player, name: str, ledger: Ledger) -> bool:
        for tx in tuple(player.flying.values()):
            if tx.chain == name and self._in_flight(player, tx, ledger):
                return True
        depth, height = ledger.spec.timing.depth, ledger.height
        for address, time in self._sites[name]:
            history = ledger.history.get(address)
            if history:
                left = depth - (height - history[-1].height + 1)
                if left == 1 or (left > 1 and self.rng.random() < 0.15):
                    return True
            if time <= self.now:
                late = ledger.clock(height) - time
                if late <= 0 or (late < 3 * ledger.spec.timing.interval and self.rng.random() < 0.5):
                    return True
        return False

    def _in_flight(self, player: Player, tx: SignedTx, ledger: Ledger) -> bool:
        """Of a party's transactions: whether it has not been final for long."""
        used = ledger.used.get(tx.claims[0])
        if used is None:
            return True
        depth = ledger.height - used[1] + 1
        if depth > ledger.spec.timing.depth:
            del player.flying[tx.txid]
            return False
        return depth >= ledger.spec.timing.depth - 1 or self.rng.random() < 0.1

    def held(self, name: str) -> int:
        """What stands at a leg now."""
        ledger = self.ledgers[self.terms.legs[name].chain]
        events = ledger.history.get(self.addresses[name])
        if not events:
            return 0
        return sum(-event.amount if event.spent else event.amount for event in events)

    def post(self, player: Player) -> Peer:
        return Post(self, player)

    async def deliver(self, sender: Player | Rogue, leg: str, path: str, consent: str) -> bool:
        """A message to the other party."""
        for actor in self.actors:
            if actor is not sender:
                return await actor.receive(leg, path, consent)
        return True

    def make_driver(
        self,
        journal: Journal,
        chains: Mapping[str, MortalChain],
        wallets: Mapping[str, Wallet],
        secret_of: SecretOf,
        party: Player,
        peer: Peer,
        fees: Mapping[str, FeePolicy],
    ) -> Driver:
        clock: Clock = _WorldClock(self)
        way = WayToMembers(self.members, party) if self.members is not None else None
        return self.driver_class(journal, chains, wallets, secret_of, clock, peer, fees, attesters=way)

    # --- steps that are watched --------------------------------------------------------------------------

    def shows(self, tx: SignedTx) -> None:
        """Whatever a transaction shows is public from now on."""
        for preimage in self.ledgers[tx.chain].known[tx.txid].preimages:
            self.public[sha256(preimage).digest()] = preimage

    def signed_with(self, value: bytes) -> bool:
        """Anybody signed a transaction that shows the preimage of a hash; a miner may have it in a block before
        it is seen in a mempool."""
        signed = [tx for ledger in self.ledgers.values() for tx in ledger.known.values()]
        return any(hash_of(preimage) == value for tx in signed for preimage in tx.preimages)

    def sending(self, player: Player, tx: SignedTx) -> None:
        """A party is about to broadcast."""
        player.flying[tx.txid] = tx
        self.checks.sending(player, tx)
        known, ledger = self.ledgers[tx.chain].known[tx.txid], self.ledgers[tx.chain]
        if known.leg not in self.addresses.values():
            return
        self.shows(tx)
        if known.preimages and self.rng.random() < self.plan.ambush:
            ledger.census.censored[player.owner] = ledger.height + 10  # as long as the world may
        if known.preimages and len(self.players) == 1:
            self.ambush()

    def _end(self) -> None:
        """The balance of everything."""
        for name, ledger in self.ledgers.items():
            issued = {NATIVE: ledger.issued} if isinstance(ledger, UtxoLedger) else dict(ledger.issued)  # type: ignore[attr-defined]
            self.judge.check(ledger.worth() == issued, "value", f"{name}: {ledger.worth()} of {issued}")
        for player in self.players:
            live = player.outcome is not None
            self.judge.check(live, "live", f"{player.role} has not closed at {self.now - BEGIN:.0f}")
        losses.settle(self)

    def take_apart(self) -> None:
        """Everything here knows everything else, and would stay until the next collection of garbage."""
        for one in (*self._everybody, *self.ledgers.values(), self.checks, self):
            one.__dict__.clear()


class _WorldClock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.now


def make_ledger(spec: ChainSpec, rng: Random) -> Ledger:
    kind = UtxoLedger if spec.family == "utxo" else AccountLedger
    return kind(spec, Random(rng.random()), BEGIN)
