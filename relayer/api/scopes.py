"""Who asks, and what it may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token is good for. Each includes those before it."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether it is enough where `needed` is asked for."""
        order = tuple(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. name: of a token, or of the way it came; idempotency keys and rates are counted by it. scope: None
    for somebody who showed nothing."""

    name: str
    scope: Scope | None

    def may(self, needed: Scope) -> bool:
        return self.scope is not None and self.scope.covers(needed)
