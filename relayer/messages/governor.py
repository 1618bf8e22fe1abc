"""The governor: what may go out at once, and what is held back first. Pure.

It slows a theft down, and an operator can look; it stops nobody for good, since anybody else may deliver as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chains.evm.codec import asset_name, words
from chains.evm.messaging.message import Message
from relayer.settings import LimitSettings

DAY: Final = 86_400  # seconds
HERALD_WORDS: Final = 4  # terms, path, asset, amount: see contracts/src/Herald.sol


@dataclass(frozen=True, slots=True)
class Value:
    """What a message says was moved: units of an asset of the source chain."""

    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits until a time (UNIX seconds)."""

    until: int
    reason: str


def value_of(message: Message, herald: str) -> Value | None:
    """What a herald's message says; None for messages that say nothing of the kind."""
    if message.sender != herald or len(message.payload) != 32 * HERALD_WORDS:
        return None
    _, _, asset, amount = words(message.payload)
    return Value(asset_name(asset[-20:]), int.from_bytes(amount, "big"))


def terms_of(message: Message, herald: str) -> bytes | None:
    """The terms of the leg that a herald's message is about."""
    return message.payload[:32] if value_of(message, herald) is not None else None


def judge(value: Value | None, limits: Mapping[str, LimitSettings], spent: int, now: int) -> Held | None:
    """Whether a message must wait. spent: units of its asset that went out in the last 24 hours."""
    limit = limits.get(value.asset) if value is not None else None
    if limit is None or value is None:
        return None
    if value.amount > limit.message:
        return Held(now + limit.delay, f"{value.amount} of {value.asset} in one message, above {limit.message}")
    if spent + value.amount > limit.day:
        return Held(now + limit.delay, f"{spent + value.amount} of {value.asset} in a day, above {limit.day}")
    return None
