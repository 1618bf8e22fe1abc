"""Breadth-first through every world, tick by tick; a loss comes with the course that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from htlc.explorer.losses import loss
from htlc.explorer.model import Model, State
from htlc.explorer.moves import Moves


@dataclass(frozen=True, slots=True)
class Finding:
    """One way to lose: why, and what happened at which tick."""

    reason: str
    course: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """states: distinct (tick, state) pairs visited. finding: the first loss, None if there is none."""

    states: int
    finding: Finding | None


def explore(model: Model) -> Result:
    """Visit every state that the model's world can reach until its last tick."""
    moves = Moves(model)
    layers: list[dict[State, State | None]] = [{model.start(): None}]
    states = 1
    for tick in range(model.last + 1):
        layer: dict[State, State | None] = {}
        for state in layers[-1]:
            for then in moves.after(tick, state):
                if then not in layer:
                    layer[then] = state
        states += len(layer)
        layers.append(layer)
    for end in layers[-1]:
        reason = loss(model, end)
        if reason is not None:
            return Result(states, Finding(reason, _course(moves, layers, end)))
    return Result(states, None)


def _course(moves: Moves, layers: list[dict[State, State | None]], end: State) -> tuple[str, ...]:
    """What happened on the way to a state, in words."""
    states = [end]
    for layer in reversed(layers[1:]):
        before = layer[states[-1]]
        assert before is not None  # noqa: S101 - every state but the first has one
        states.append(before)
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
