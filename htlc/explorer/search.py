"""Breadth-first through every world, tick by tick; a loss comes with the course that led to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from htlc.explorer.losses import decided, loss, stuck, taken
from htlc.explorer.model import Model, State
from htlc.explorer.moves import Moves


@dataclass(frozen=True, slots=True)
class Finding:
    """One way to lose: why, and what happened at which tick."""

    reason: str
    course: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """states: distinct (tick, state) pairs visited. finding: the first loss, None if there is none. ends: how
    each leg was spent ("" where it was not), for every end that was seen."""

    states: int
    finding: Finding | None
    ends: frozenset[tuple[str, ...]] = frozenset()


def explore(model: Model) -> Result:
    """Visit every state that the model's world can reach until its last tick."""
    moves = Moves(model)
    layers: list[dict[State, State]] = [{model.start(): model.start()}]
    states = 1
    seen: set[tuple[str, ...]] = set()
    for tick in range(model.last + 1):
        layers.append(moves.after(tick, layers[-1]))
        states += len(layers[-1])
        ends = [one for one in layers[-1] if tick == model.last or decided(model, one)]
        seen.update(tuple(taken(model, end).values()) for end in ends)
        found = _first(model, ends, loss) or (_first(model, ends, stuck) if tick == model.last else None)
        if found is not None:
            return Result(states, Finding(found[0], _course(moves, layers, found[1])), frozenset(seen))
        layers.append({one: how for one, how in layers.pop().items() if not (one.closed and decided(model, one))})
    return Result(states, None, frozenset(seen))


def _first(
    model: Model, ends: list[State], judge: Callable[[Model, State], str | None]
) -> tuple[str, State] | None:
    return next(((reason, end) for end in ends if (reason := judge(model, end)) is not None), None)


def _course(moves: Moves, layers: list[dict[State, State]], end: State) -> tuple[str, ...]:
    """What happened on the way to a state, in words."""
    states = [end]
    for layer in reversed(layers[1:]):
        states.append(layer[states[-1]])
    states.reverse()
    words = []
    for tick, (before, then) in enumerate(pairwise(states)):
        words += [f"{tick}: {text}" for text in _between(moves, tick, before, then)]
    return tuple(words)


def _between(moves: Moves, tick: int, before: State, then: State) -> list[str]:
    ways = moves.ways(tick, before)
    for middle in moves.world(tick, before):
        for said, end in moves.honest(tick, middle):
            if end == then:
                words = [said] if said else []
                how = ways[middle]
                while how is not None:
                    words.append(how[1])
                    how = ways[how[0]]
                return words[::-1]
    return []
