"""The frame every protocol fits: terms, facts, a derived view, and a plan. No I/O, no clock, no randomness.

    derive(terms, facts) -> View
    plan(terms, view, stance, now, guards) -> actions

The driver, the simulator, the explorer and the words of `deal show` all call the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from chains.legs import Leg
from chains.port import LegFacts
from htlc.errors import UnsafeLadder
from htlc.terms import Terms

# --- time and guards -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Now:
    """What time it may be. `earliest` and `latest` bound it (local clock, chain clocks and their errors);
    `clocks` holds each chain's own clock, which is what its deadlines are compared with."""

    earliest: int
    latest: int
    clocks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ChainGuard:
    """One party's parameters for one chain (DESIGN section 3), in seconds, and `depth` in blocks.

    include: d, publish to inclusion with fee bumps. reorg: r, the reorganisation horizon. lead, lag: A and L,
    how far the chain's clock can be ahead of and behind true time (a median of block times may keep it so far
    behind that the lead is negative).
    """

    include: int
    reorg: int
    depth: int
    lead: int
    lag: int

    @property
    def final(self) -> int:
        """F = d + r: from publishing a transaction to its finality."""
        return self.include + self.reorg

    @property
    def reach(self) -> int:
        """F + A: what must be left before a deadline for a spend published now to be final first."""
        return self.include + self.reorg + self.lead


@dataclass(frozen=True, slots=True)
class Guards:
    """A party's own risk parameters, fixed when it agreed to the deal. outage: R, its own longest outage.

    joint: waits across two chains that `htlc.timelocks` found by convolution, as "kind:chain+kind:chain" ->
    seconds. They are shorter than the sum of their parts, which stands in where one is missing.
    """

    chains: Mapping[str, ChainGuard]
    outage: int
    joint: Mapping[str, int] = field(default_factory=dict)

    def part(self, kind: str, chain: str) -> int:
        """Seconds of one part: "include" d; "final" F = d + r, from publishing to finality; "reach" F + A, what
        must be left before a deadline for a spend published now to be final first; "settle" L + F, from a
        deadline until a refund, or the claim that beat it, is final."""
        guard = self.chains[chain]
        match kind:
            case "include":
                return guard.include
            case "final":
                return guard.final
            case "reach":
                return guard.reach
            case "settle":
                return guard.lag + guard.final
            case _:
                raise KeyError(kind)

    def parts(self, *parts: tuple[str, str]) -> int:
        """Seconds of parts (kind, chain) one after the other."""
        if len(parts) > 1:
            joint = self.joint.get("+".join(f"{kind}:{chain}" for kind, chain in parts))
            if joint is not None:
                return joint
        return sum(self.part(kind, chain) for kind, chain in parts)

    def reach(self, chain: str) -> int:
        return self.chains[chain].reach


Parts: TypeAlias = tuple[tuple[str, str], ...]  # (kind, leg): see Guards.part


@dataclass(frozen=True, slots=True)
class Line:
    """One rule of a ladder: from the time `after` (None: now, when the first leg may be funded) to `deadline`
    there is room for `waits`, which chance decides, for `fixed` groups of parts, which are thresholds that a
    plan keeps, and for `outages` of the party's own. alive: and for the promised life of the deal."""

    rule: str
    deadline: str
    after: str | None
    waits: Parts = ()
    fixed: tuple[Parts, ...] = ()
    outages: int = 0
    alive: bool = False

    def gap(self, chains: Mapping[str, str], guards: Guards) -> int:
        """Seconds that the rule needs, without the promised life. chains: name by leg."""
        groups = (group for group in (self.waits, *self.fixed) if group)
        seconds = sum(guards.parts(*((kind, chains[leg]) for kind, leg in group)) for group in groups)
        return seconds + self.outages * guards.outage

    def check(self, times: Mapping[str, int], chains: Mapping[str, str], guards: Guards, now: int) -> None:
        """Raise UnsafeLadder unless the times keep this rule for a deal that starts at `now`."""
        needed = (now if self.after is None else times[self.after]) + self.gap(chains, guards)
        if times[self.deadline] < needed:
            raise UnsafeLadder(self.rule, self.deadline, needed, times[self.deadline])


# --- facts and view --------------------------------------------------------------------------------------


class Flight(StrEnum):
    """Where our own funding of a leg stands, from the transactions we signed and the chain's word on them."""

    NONE = "none"  # nothing signed
    OPEN = "open"  # signed; it or a replacement may still confirm
    DONE = "done"  # mined and final
    CANCELLED = "cancelled"  # double-spent by us, and that is final


@dataclass(frozen=True, slots=True)
class Facts:
    """What derive works on. legs: by leg name. preimages: all ever seen, by hash (stored once seen, so a
    reorganisation can't take them back), and our own from the moment a transaction that shows them may have
    left the machine. fundings: our own, by leg name."""

    legs: Mapping[str, LegFacts]
    preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    fundings: Mapping[str, Flight] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absent:
    """Not full, and nothing of it was spent. `held` counts decoys and partial deposits. `last` is the depth of
    the latest spend of such, None where there was none."""

    held: int = 0
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Funded:
    """Full at `depth` confirmations, and unspent."""

    depth: int
    held: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Spent by `path` at `depth` (0: only in the mempool). `held` is what stands there besides (late deposits,
    or all of it while the spend is unconfirmed). `last` is the depth of the latest spend of any of it."""

    path: str
    depth: int
    held: int
    last: int


LegState: TypeAlias = Absent | Funded | Spent


@dataclass(frozen=True, slots=True)
class View:
    """legs: state by leg name. public: preimages known to the world, by hash. fundings: as in Facts."""

    legs: Mapping[str, LegState]
    public: Mapping[bytes, bytes]
    fundings: Mapping[str, Flight]


# --- what a party brings ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Will:
    """What the user wants. exercise: the holder uses the option. let_go: give money back early by release, if
    the terms allow. stop: fund nothing more, reveal nothing first, get out."""

    exercise: bool = False
    let_go: bool = False
    stop: bool = False


class Vow(StrEnum):
    """A promise, stored before anything that relies on it leaves the machine; never taken back."""

    NEVER_REVEAL = "never-reveal"  # our own secret stays secret unless it is public already
    NEVER_FUND = "never-fund"


@dataclass(frozen=True, slots=True)
class Stance:
    """Who we are in a deal and what binds us.

    role: ours. secrets: our own preimages by hash. consents_given: (leg, path) we signed releases for and gave
    away. consents_held: (leg, path) for which we hold the other party's signature, or the quorum's. limited:
    restored from seed or backup: never funds, never reveals first, never signs. exposed: hashes of our own secrets
    that a transaction we signed shows, whether or not it was ever seen: no vow of silence is possible any more.
    """

    role: str
    secrets: Mapping[bytes, bytes]
    will: Will = field(default_factory=Will)
    vows: frozenset[Vow] = frozenset()
    consents_given: frozenset[tuple[str, str]] = frozenset()
    consents_held: frozenset[tuple[str, str]] = frozenset()
    limited: bool = False
    exposed: frozenset[bytes] = frozenset()


# --- actions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fund:
    """Have the leg funded by us, in a block before `deadline`: then it is cancelled."""

    leg: str
    deadline: int


@dataclass(frozen=True, slots=True)
class Unfund:
    """Our funding of this leg must not confirm any more: double-spend it until that is final."""

    leg: str


@dataclass(frozen=True, slots=True)
class SpendLeg:
    """Spend the leg by `path` with `preimages`, in a block before `deadline`, which leaves time for it to
    become final (None: no hurry). reveals: this would be the first time a preimage of ours is shown."""

    leg: str
    path: str
    preimages: tuple[bytes, ...]
    deadline: int | None
    reveals: bool = False


@dataclass(frozen=True, slots=True)
class GiveConsent:
    """Sign the release `path` of `leg` and send it to the other party."""

    leg: str
    path: str


@dataclass(frozen=True, slots=True)
class Attest:
    """Have the signatures of the quorum for `path` of `leg`. They are held like a release once they are there."""

    leg: str
    path: str


@dataclass(frozen=True, slots=True)
class Swear:
    """Store a vow. What depends on it appears in the next plan."""

    vow: Vow


@dataclass(frozen=True, slots=True)
class Close:
    """Everything is final: nothing is owed to us and nothing we signed can still confirm."""

    outcome: str


Action: TypeAlias = Fund | Unfund | SpendLeg | GiveConsent | Attest | Swear | Close


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence of "what happens next": who does what, and by when (UNIX time) at the latest."""

    who: str
    text: str
    by: int | None = None


# --- the protocol ----------------------------------------------------------------------------------------


class DealProtocol(Protocol):
    """One protocol: a module-level object in its module, listed in `htlc.protocols.PROTOCOLS`."""

    @property
    def name(self) -> str: ...

    @property
    def roles(self) -> tuple[str, str]:
        """The role that funds first, and so proposes, comes first."""
        ...

    @property
    def times(self) -> tuple[str, ...]:
        """Names of the deadlines, in the order they must have."""
        ...

    @property
    def reveals(self) -> tuple[str, ...]:
        """The legs whose first claim shows a secret: it must be final before the leg's deadline."""
        ...

    def secrets(self, role: str) -> tuple[str, ...]:
        """Labels of the secrets whose hashes a role contributes ("a", "e", "s")."""
        ...

    def keys(self, role: str) -> Mapping[str, str]:
        """The keys a role contributes: label -> name of the leg (and so the chain) it is for. A label such as
        "collateral.to" or "collateral.signer" is also what `Wallet.key` derives the secret from."""
        ...

    def funder(self, leg: str) -> str:
        """The role that funds a leg."""
        ...

    def validate(self, terms: Terms) -> None:
        """Raise a TermsError unless the terms have exactly this protocol's legs, times, options, parties,
        labels, and its rules hold (distinct hashes and nonces, order of deadlines). No guards, no chains."""
        ...

    def legs(self, terms: Terms) -> dict[str, Leg]:
        """Every leg by name, built from the terms alone."""
        ...

    def recipient_key(self, leg: str, path: str) -> tuple[str, str]:
        """(role, key label) of the party that a path pays."""
        ...

    def signer_keys(self, leg: str, path: str) -> tuple[tuple[str, str], ...]:
        """(role, key label) of the path's other signers, in the path's order."""
        ...

    @property
    def attested(self) -> tuple[tuple[str, str], ...]:
        """(leg, path) of the paths that a quorum must sign besides."""
        ...

    def lines(self, role: str) -> tuple[Line, ...]:
        """The rules of the ladder that protect a role."""
        ...

    def check_guards(self, terms: Terms, role: str, guards: Guards, now: int) -> None:
        """Raise UnsafeLadder unless the ladder is safe for `role` by its own guards, starting at `now`."""
        ...

    def derive(self, terms: Terms, facts: Facts) -> View: ...

    def plan(self, terms: Terms, view: View, stance: Stance, now: Now, guards: Guards) -> tuple[Action, ...]: ...

    def outcome(self, terms: Terms, view: View) -> str | None:
        """exercised, expired, abandoned, unfunded, swapped, refunded...; None while it is open."""
        ...
