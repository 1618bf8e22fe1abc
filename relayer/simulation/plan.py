"""What one seed means: which deal, between whom, on which chains, and what goes wrong; drawn beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from random import Random

from chains.legs import NATIVE
from chains.simulated.chain import TOKEN
from chains.simulated.keys import key_of, secret_of, short
from chains.simulated.spec import PRESETS, ChainSpec
from htlc.protocols import protocol
from htlc.protocols.base import Guards, Will
from htlc.terms import Contribution, LegTerms, Terms
from htlc.timelocks import guards as guards_of
from htlc.timelocks import ladder
from relayer.simulation.quorum import QuorumPlan, draw_quorum

BEGIN = 1_800_000_000
MISS = 1e-9  # so that a deadline missed by bad luck alone is not seen in a nightly run
ATTESTED_SHARE = 0.3  # of options
OUTAGES = (500, 900, 1500)
PAIRS = (
    ("coin", "vm"),
    ("coin", "vm"),
    ("vm", "coin"),
    ("silver", "vm"),
    ("vm", "silver"),
    ("coin", "silver"),
    ("silver", "coin"),
    ("vm", "vm2"),
)
LEGS = {
    "swap": {"x": 0, "y": 1},
    "option": {"collateral": 0, "premium": 1, "strike": 1},
    "attested": {"collateral": 0, "premium": 1, "strike": 1},
}


@dataclass(frozen=True, slots=True)
class Window:
    """Trouble of one party from `begin` to `end`. kind: crash, dark, dark one, lag, flaky, stuck. chain: of those
    that are of one node."""

    begin: float
    end: float
    kind: str
    chain: str = ""


@dataclass(slots=True)
class PartyPlan:
    """One party. rogue: an adversary instead of our software. will, wishes: what its user wants, and changes to
    that at times. deaths: it dies at these steps (counted over commits and broadcasts), before (True) or after
    them. restore: its first death takes its files too, and it comes back from a backup made at that commit."""

    role: str
    seed: bytes
    rogue: bool = False
    will: Will = field(default_factory=Will)
    wishes: tuple[tuple[float, Will], ...] = ()
    windows: tuple[Window, ...] = ()
    deaths: dict[int, bool] = field(default_factory=dict)
    restore: int | None = None
    bad_node: bool = False


@dataclass(slots=True)
class Plan:
    """A whole run."""

    seed: int
    specs: tuple[ChainSpec, ChainSpec]
    guards: Guards
    terms: Terms
    parties: tuple[PartyPlan, PartyPlan]
    spikes: float
    reorgs: int
    censorship: float
    shut: float
    ambush: float
    slow: str
    faulty: bool
    quorum: QuorumPlan | None

    @property
    def last(self) -> int:
        """The last deadline."""
        return max(self.terms.times.values())


@lru_cache(maxsize=256)
def _guards(names: tuple[str, str], outage: int, miss: float) -> Guards:
    return guards_of({name: PRESETS[name].timing for name in names}, outage, miss)


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    rng = Random(seed)
    names = rng.choice(PAIRS)
    outage = rng.choice(OUTAGES)
    guards = _guards(names, outage, MISS)
    name = rng.choice(("swap", "option", "option"))
    if name == "option" and Random(f"{seed}/kind").random() < ATTESTED_SHARE:
        name = "attested"
    specs = (PRESETS[names[0]], PRESETS[names[1]])
    roles = protocol(name).roles
    parties = tuple(PartyPlan(role, sha256(f"{seed}/{role}".encode()).digest()) for role in roles)
    quorum = draw_quorum(seed, guards.chains[names[1]].include) if name == "attested" else None
    terms = _terms(rng, name, specs, guards, parties, quorum)
    style = rng.random()
    faulty = style > 0.2
    if style > 0.45:
        parties[rng.randrange(2)].rogue = True
    plan = Plan(
        seed=seed,
        specs=specs,
        guards=guards,
        terms=terms,
        parties=(parties[0], parties[1]),
        spikes=rng.choice((0.0, 0.02, 0.1)) if faulty else 0.0,
        reorgs=rng.choice((0, 1, 1, 2)) if faulty else 0,
        censorship=rng.choice((0.0, 0.0, 0.1)) if faulty else 0.0,
        shut=rng.choice((0.0, 0.0, 0.1)) if faulty else 0.0,
        ambush=rng.choice((0.0, 0.3, 0.8)) if faulty else 0.0,
        slow=rng.choice(names) if faulty and rng.random() < 0.3 else "",
        faulty=faulty,
        quorum=quorum,
    )
    for party in plan.parties:
        _wishes(rng, plan, party)
        if faulty and not party.rogue:
            _troubles(rng, plan, party)
    return plan


def _terms(
    rng: Random,
    name: str,
    specs: tuple[ChainSpec, ChainSpec],
    guards: Guards,
    parties: tuple[PartyPlan, ...],
    quorum: QuorumPlan | None,
) -> Terms:
    legs = {leg: _leg(rng, leg, specs[i]) for leg, i in LEGS[name].items()}
    chains = {leg: terms.chain for leg, terms in legs.items()}
    life = int(specs[0].timing.interval * rng.choice((5, 20))) if name != "swap" else 0
    times = ladder(protocol(name), chains, guards, BEGIN, life, slack=rng.choice((guards.outage // 2, None)))
    options = {} if name == "swap" else {"kind": "call"}
    if name == "option":
        options["releases"] = rng.choice(("yes", "no"))
    return Terms(
        protocol=name,
        networks={spec.name: f"simulated:{spec.name}" for spec in specs},
        legs=legs,
        times=times,
        options=options,
        parties={party.role: _contribution(name, party, legs) for party in parties},
        quorum=None if quorum is None else quorum.quorum,
    )


def _leg(rng: Random, name: str, spec: ChainSpec) -> LegTerms:
    share = 10 if name == "premium" else 1
    if spec.family == "utxo":
        return LegTerms(spec.name, NATIVE, rng.randint(3 * 10**7, 10**8) // share)
    if rng.random() < 0.5:
        return LegTerms(spec.name, TOKEN, rng.randint(10**9, 10**10) // share)
    return LegTerms(spec.name, NATIVE, rng.randint(10**18, 10**19) // share)


def _contribution(name: str, party: PartyPlan, legs: dict[str, LegTerms]) -> Contribution:
    spoken = protocol(name)
    nonce = sha256(b"nonce" + party.seed).digest()[:16]
    secrets = {label: secret_of(party.seed, nonce, label) for label in spoken.secrets(party.role)}
    keys = {}
    for label, leg in spoken.keys(party.role).items():
        chain = legs[leg].chain
        account = PRESETS[chain].family == "account"
        keys[label] = (
            f"{chain}-account-{short(party.seed)}" if account else key_of(party.seed, nonce, chain, label).public
        )
    hashes = {label: sha256(value).digest() for label, value in secrets.items()}
    return Contribution(sha256(party.seed).hexdigest(), nonce, hashes, keys)


def _wishes(rng: Random, plan: Plan, party: PartyPlan) -> None:
    """What the user wants, and when he comes to want something else."""
    first, last = BEGIN, plan.last
    if party.role == "holder" and rng.random() < 0.65:
        if rng.random() < 0.5:
            party.will = Will(exercise=True)
        else:
            party.wishes = ((rng.uniform(first, plan.terms.times["expiry"]), Will(exercise=True)),)
    whim = rng.random()
    if whim < 0.12:
        party.wishes = (*party.wishes, (rng.uniform(first, last), Will(exercise=party.will.exercise, stop=True)))
    elif whim < 0.3 and plan.terms.options.get("releases") == "yes":
        wish = Will(exercise=party.will.exercise, let_go=True)
        party.wishes = (*party.wishes, (rng.uniform(first, last), wish))
    party.wishes = tuple(sorted(party.wishes, key=lambda wish: wish[0]))


def _troubles(rng: Random, plan: Plan, party: PartyPlan) -> None:
    """Outages no longer than the party said, between which it looks; deaths; bad nodes."""
    outage = plan.guards.outage
    pause = 4 * max(spec.timing.interval for spec in plan.specs)
    at: float = BEGIN
    windows = []
    for _ in range(rng.choice((0, 1, 2, 4, 8))):
        at += pause + rng.expovariate(1.0) * (plan.last - BEGIN) / 8
        length = outage * rng.choice((0.2, 0.9, 1.0))
        kind = rng.choice(("crash", "dark", "dark one", "lag", "flaky", "stuck"))
        windows.append(Window(at, at + length, kind, rng.choice(plan.specs).name))
        at += length
    party.windows = tuple(window for window in windows if window.end < plan.last)
    for _ in range(rng.choice((0, 0, 1, 2, 5))):
        party.deaths[rng.randint(1, 24)] = rng.random() < 0.5
    if party.deaths and rng.random() < 0.15:
        party.restore = rng.randint(0, 8)
    party.bad_node = rng.random() < 0.3
