"""Plans of many deals in one tick: what each asks for and by when, and turns for others in between."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from htlc.executor import Work
from htlc.observer import Observation
from htlc.ports import Intent
from htlc.protocols.base import Action, Fund, SpendLeg, Unfund

TURN_SECONDS = 0.005  # of work on deals, after which others of this process get a turn


@dataclass(frozen=True, slots=True)
class Plan:
    """What the protocol has us do in one deal, and what that stands on. intents: what we had signed then."""

    seen: Observation
    actions: tuple[Action, ...]
    work: Work
    intents: tuple[Intent, ...]

    @property
    def spends(self) -> bool:
        """Money of ours waits for it: what is not funded yet can wait."""
        return any(isinstance(action, SpendLeg | Unfund) for action in self.actions)

    @property
    def due(self) -> float:
        """Its nearest deadline, UNIX seconds."""
        timed = (action.deadline for action in self.actions if isinstance(action, Fund | SpendLeg))
        return min((deadline for deadline in timed if deadline is not None), default=math.inf)


class Turns:
    """Lets others of the process have their turn, during work that never waits."""

    def __init__(self) -> None:
        self._clock: Callable[[], float] | None = None
        self._since = 0.0

    async def give(self, last: bool = False) -> None:
        """Before a piece of the work. last: nothing comes after it, so that no time need be measured."""
        if self._clock is None:
            if not last:
                self._clock = asyncio.get_running_loop().time
                self._since = self._clock()
        elif self._clock() - self._since > TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = self._clock()
