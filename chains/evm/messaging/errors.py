"""What can be wrong with messages, sets of signers and their signatures."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import StrikelockError


@dataclass(eq=False)
class MessagingError(StrikelockError):
    """A message or checkpoint is not what it must be."""


@dataclass(eq=False)
class BadMembers(MessagingError):
    """A set of signers that no contract takes."""

    number: int
    members: tuple[str, ...]
    template = "set {number} is not 1 to 255 different addresses in ascending order: {members}"


@dataclass(eq=False)
class TooFewSignatures(MessagingError):
    """Not a quorum."""

    number: int
    given: int
    needed: int
    template = "{given} valid signatures of set {number}, {needed} are needed"


@dataclass(eq=False)
class BadEvent(MessagingError):
    """A log that is none of ours, or cut short."""

    reason: str
    template = "this is no event of ours: {reason}"
