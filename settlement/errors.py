"""What can go wrong with the seed and on the way to an agreement."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import StrikelockError
from htlc.errors import TermsError

# --- seed ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class SeedError(StrikelockError):
    """The seed can't be had."""


@dataclass(eq=False)
class BadWords(SeedError):
    """Words that are no BIP39 mnemonic. The words themselves are not repeated."""

    reason: str
    template = "these are not the words of a seed: {reason}"


@dataclass(eq=False)
class SeedMissing(SeedError):
    """There is no seed file."""

    path: str
    template = "there is no seed at {path}: make one with `strikelock keys new`"


@dataclass(eq=False)
class SeedExists(SeedError):
    """A seed file is there already, and is never overwritten."""

    path: str
    template = "there is a seed at {path} already, and it is not overwritten"


@dataclass(eq=False)
class SeedExposed(SeedError):
    """The seed file can be read by others than its owner."""

    path: str
    mode: str
    template = "the seed at {path} has mode {mode}, so others may read it: set it to 0600"


@dataclass(eq=False)
class SeedDamaged(SeedError):
    """The seed file is not one, or was cut short."""

    path: str
    reason: str
    template = "the seed at {path} can't be read: {reason}"


@dataclass(eq=False)
class WrongPassphrase(SeedError):
    """The passphrase does not open the seed, or the file's contents were changed."""

    path: str
    template = "the passphrase does not open the seed at {path}"


@dataclass(eq=False)
class SeedUnavailable(SeedError):
    """The seed file can't be read or written."""

    path: str
    reason: str
    template = "the seed at {path} can't be used: {reason}"


# --- terms -----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class NonceReused(TermsError):
    """A nonce that was in an earlier proposal or deal: the secrets derived with it may be known."""

    value: str
    template = "nonce {value} was used before"
