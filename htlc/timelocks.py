"""The ladder of deadlines, from what is known of each chain and a stated chance of missing one.

A deadline is missed when blocks come too slowly, so every wait is counted in blocks and turned into seconds by the
chain's own arrival process (`htlc.waiting`). With n blocks to inclusion, r blocks of depth, k = n + r - 1 blocks
from publishing to that depth, e the error of a block's time stamp, and h = (span + 1) / 2, since a chain's clock
is the median of its last `span` time stamps (BIP113: 11) and passes T once h of them do:

    include   n blocks
    final     k blocks: published, until no reorganisation is expected to undo it
    settle    e + (h + k) blocks: a deadline passed, until the refund is final
    reach     e + max(n, k - h) blocks: left before a deadline for a spend to be final before a refund can be
              mined. On a chain whose clock is the block's own (span 1) that may be in the very next block: k

Spans over two chains are quantiles of the convolution, not sums of quantiles. The accepted chance is that of
the whole ladder: of its lines and reveals each gets 1 - (1 - miss)^(1/EVENTS), which makes the joint chance,
every choice of ours being made at the last moment that a plan allows and every outage being as long as stated,
at most `miss`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from chains.port import Timing
from htlc.errors import LadderTooLong, MissTooLikely
from htlc.protocols.base import ChainGuard, DealProtocol, Guards, Line
from htlc.protocols.option import OPTION
from htlc.protocols.swap import SWAP
from htlc.terms import Terms
from htlc.waiting import Wait, exceeds, quantile, wait

MISS = 1e-6  # the accepted chance that any deadline of a ladder is missed
EVENTS = 7  # the most lines and reveals that a ladder of ours has; a test counts them
JOINT = (("final", "final"), ("final", "include"), ("final", "reach"), ("settle", "reach"))


@dataclass(frozen=True, slots=True)
class Miss:
    """One way to miss a deadline, and its chance."""

    rule: str
    probability: float


# --- guards ----------------------------------------------------------------------------------------------


def guards(timings: Mapping[str, Timing], outage: int, miss: float = MISS) -> Guards:
    """The guards of one party: timings by chain name, its longest outage in seconds, and the chance to miss a
    deadline that it accepts for a whole deal."""
    level = -math.expm1(math.log1p(-miss) / EVENTS)
    joint = {}
    for (first, second), (one, other) in product(JOINT, product(timings, repeat=2)):
        parts = ((first, timings[one]), (second, timings[other]))
        joint[f"{first}:{one}+{second}:{other}"] = _seconds(parts, level)
    return Guards({name: _guard(timing, level) for name, timing in timings.items()}, outage, joint)


def _guard(timing: Timing, level: float) -> ChainGuard:
    include, final, settle, reach = (
        _seconds(((kind, timing),), level) for kind in ("include", "final", "settle", "reach")
    )
    return ChainGuard(
        include=include, reorg=final - include, depth=timing.depth, lead=reach - final, lag=settle - final
    )


def _blocks(kind: str, timing: Timing) -> int:
    """The blocks that a part waits for."""
    median = (timing.median_span + 1) // 2
    final = timing.inclusion + timing.depth - 1  # the block of inclusion is the first of the depth
    match kind:
        case "include":
            return timing.inclusion
        case "final":
            return final
        case "settle":
            return median + final
        case "reach":
            return max(timing.inclusion, final - (median if timing.median_span > 1 else 0))
        case _:
            raise KeyError(kind)


def _constant(parts: tuple[tuple[str, Timing], ...]) -> int:
    """The seconds in some parts that no block shortens: errors of the chains' clocks."""
    return sum(timing.clock_error for kind, timing in parts if kind in ("settle", "reach"))


def _waits(parts: tuple[tuple[str, Timing], ...]) -> tuple[Wait, ...]:
    """The waits of parts one after the other; blocks of one chain add up."""
    totals: dict[Timing, int] = {}
    for kind, timing in parts:
        totals[timing] = totals.get(timing, 0) + _blocks(kind, timing)
    return tuple(wait(timing, blocks) for timing, blocks in totals.items())


def _seconds(parts: tuple[tuple[str, Timing], ...], level: float) -> int:
    return _constant(parts) + quantile(_waits(parts), level)


# --- ladders ---------------------------------------------------------------------------------------------


def ladder(
    protocol: DealProtocol,
    chains: Mapping[str, str],
    guards: Guards,
    now: int,
    life: int = 0,
    slack: int | None = None,
) -> dict[str, int]:
    """The earliest deadlines that keep every rule of both roles. chains: name by leg. life: seconds that the
    deal is promised to live. slack: what may pass between now and the first funding, two outages unless
    given."""
    lines = _lines(protocol)
    start = now + (2 * guards.outage if slack is None else slack)
    times: dict[str, int] = {}
    previous = start
    for name in protocol.times:
        needed = [
            (start if line.after is None else times[line.after])
            + line.gap(chains, guards)
            + (life if line.alive else 0)
            for line in lines
            if line.deadline == name
        ]
        previous = times[name] = max(previous + 1, *needed)
    return times


def swap_ladder(x: str, y: str, guards: Guards, now: int, slack: int | None = None) -> dict[str, int]:
    """Times of a swap whose initiator pays on chain x and participant on chain y."""
    return ladder(SWAP, {"x": x, "y": y}, guards, now, slack=slack)


def option_ladder(
    collateral: str, strike: str, guards: Guards, now: int, life: int, slack: int | None = None
) -> dict[str, int]:
    """Times of an option that lives for `life` seconds, collateral on one chain, strike and premium on
    another."""
    chains = {"collateral": collateral, "premium": strike, "strike": strike}
    return ladder(OPTION, chains, guards, now, life, slack)


def _lines(protocol: DealProtocol) -> tuple[Line, ...]:
    found = (line for role in protocol.roles for line in protocol.lines(role))
    return tuple(dict.fromkeys(found))


# --- what a ladder is worth ------------------------------------------------------------------------------


def misses(
    protocol: DealProtocol,
    terms: Terms,
    guards: Guards,
    timings: Mapping[str, Timing],
    now: int,
    life: int = 0,
) -> tuple[Miss, ...]:
    """Every way to miss a deadline of a ladder, each with its chance, for a deal that starts now. Reveals are
    made at the last moment the guards allow."""
    chains = {name: leg.chain for name, leg in terms.legs.items()}
    found = []
    for line in _lines(protocol):
        if line.waits:
            parts = tuple((kind, timings[chains[leg]]) for kind, leg in line.waits)
            room = _room(line, terms, chains, guards, now) - (life if line.alive else 0)
            found.append(Miss(line.rule, exceeds(_waits(parts), room - _constant(parts))))
    for leg in protocol.reveals:
        parts = (("reach", timings[chains[leg]]),)
        chance = exceeds(_waits(parts), guards.reach(chains[leg]) - _constant(parts))
        found.append(Miss(f"the first claim of {leg}", chance))
    return tuple(found)


def _room(line: Line, terms: Terms, chains: Mapping[str, str], guards: Guards, now: int) -> int:
    """Seconds that a ladder leaves for a line's waits."""
    after = now if line.after is None else terms.times[line.after]
    fixed = sum(guards.parts(*((kind, chains[leg]) for kind, leg in group)) for group in line.fixed)
    return terms.times[line.deadline] - after - fixed - line.outages * guards.outage


def miss_probability(
    protocol: DealProtocol,
    terms: Terms,
    guards: Guards,
    timings: Mapping[str, Timing],
    now: int,
    life: int = 0,
) -> float:
    """The chance that any deadline of a ladder is missed. The waits of different lines are of different blocks,
    so their chances are independent."""
    found = misses(protocol, terms, guards, timings, now, life)
    if any(miss.probability >= 1 for miss in found):
        return 1.0
    return abs(math.expm1(sum(math.log1p(-miss.probability) for miss in found)))


def check_ladder(
    protocol: DealProtocol,
    terms: Terms,
    role: str,
    guards: Guards,
    timings: Mapping[str, Timing],
    now: int,
    limit: float = MISS,
    longest: int | None = None,
) -> float:
    """Refuse a ladder that is out of order for `role`, too likely to be missed, or longer than `longest`
    seconds; to be asked before proposing and before accepting. Returns the chance of a miss. Raises
    UnsafeLadder, MissTooLikely, LadderTooLong."""
    protocol.check_guards(terms, role, guards, now)
    probability = miss_probability(protocol, terms, guards, timings, now)
    if probability > limit:
        raise MissTooLikely(probability, limit)
    length = max(terms.times.values()) - now
    if longest is not None and length > longest:
        raise LadderTooLong(length, longest)
    return probability


# --- storage ---------------------------------------------------------------------------------------------


def guards_to_json(guards: Guards) -> dict[str, Any]:
    """Guards as they are stored with a deal."""
    fields = ("include", "reorg", "depth", "lead", "lag")
    return {
        "chains": {name: {key: getattr(guard, key) for key in fields} for name, guard in guards.chains.items()},
        "outage": guards.outage,
        "joint": dict(guards.joint),
    }


def guards_from_json(data: Mapping[str, Any]) -> Guards:
    """Guards from what `guards_to_json` gave. For our own store: the shape is not checked beyond the fields'
    names."""
    chains = {name: ChainGuard(**guard) for name, guard in data["chains"].items()}
    return Guards(chains, data["outage"], dict(data.get("joint", {})))
