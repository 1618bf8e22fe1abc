"""The plan for one deal in one tick: what it asks for, and by when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from htlc.executor import Work
from htlc.observer import Observation
from htlc.ports import Intent
from htlc.protocols.base import Action, Fund, SpendLeg, Unfund


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
