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


@dataclass(eq=False)
class WrongChain(TermsError):
    """A chain of the terms that is not ours of that name: another network, or another contract."""

    chain: str
    ours: str
    theirs: str
    template = "chain {chain} is {theirs} in the terms and {ours} here"


@dataclass(eq=False)
class KeyReused(TermsError):
    """One key for both parties: a leg would pay one of them by the other's path."""

    value: str
    template = "key {value} is named for both parties"


@dataclass(eq=False)
class TermsMismatch(TermsError):
    """The counterparty's terms are not those that were proposed."""

    field: str
    expected: str
    found: str
    template = "the terms differ: {field} is {found}, it was proposed as {expected}"


@dataclass(eq=False)
class WrongParty(TermsError):
    """An identity in the terms that is not the one it should be."""

    role: str
    expected: str
    found: str
    template = "the {role} is {found} in the terms instead of {expected}"


# --- messages --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class MessageError(StrikelockError):
    """A message that we don't act on. Callers that refuse whatever the reason catch this."""


@dataclass(eq=False)
class MalformedMessage(MessageError):
    """Not a message of ours: no canonical JSON, a field that is missing, unknown or of the wrong shape."""

    field: str
    reason: str
    template = "message refused: {field}: {reason}"


@dataclass(eq=False)
class OversizedMessage(MessageError):
    """A message longer than we read."""

    size: int
    limit: int
    template = "message refused: it has {size} bytes, at most {limit} are read"


@dataclass(eq=False)
class UnsupportedMessage(MessageError):
    """A version or type of message that we don't know."""

    version: int
    kind: str
    template = "message refused: there is no {kind!r} of version {version} here"


@dataclass(eq=False)
class UnsignedMessage(MessageError):
    """A message without a signature."""

    template = "message refused: it is not signed"


@dataclass(eq=False)
class WrongSignature(MessageError):
    """A signature that is not the sender's over this message."""

    sender: str
    template = "message refused: the signature is not that of {sender}"


@dataclass(eq=False)
class NotForUs(MessageError):
    """A message to somebody else."""

    recipient: str
    template = "message refused: it is for {recipient}"


@dataclass(eq=False)
class OwnIdentity(MessageError):
    """A message from ourselves, or a deal with ourselves."""

    identity: str
    template = "{identity} is this party itself: a deal takes two"


@dataclass(eq=False)
class UnexpectedSender(MessageError):
    """A message about an exchange that the sender has no part in, or an answer from somebody else."""

    sender: str
    template = "message refused: {sender} has no part in this"


@dataclass(eq=False)
class UnexpectedMessage(MessageError):
    """A message that does not fit where the exchange stands."""

    kind: str
    state: str
    template = "message refused: there is nothing to do with {kind} while the proposal is {state}"


# --- the exchange ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class ProposalExpired(StrikelockError):
    """A proposal whose time has run out."""

    until: int
    now: int
    template = "the proposal was good until {until}, it is {now}"


@dataclass(eq=False)
class BadValidity(StrikelockError):
    """A proposal that claims to be good for longer than we keep one."""

    until: int
    limit: int
    template = "the proposal wants to be good until {until}, the limit is {limit}"


@dataclass(eq=False)
class AlreadyAnswered(StrikelockError):
    """A replay with other contents: the proposal was answered before, and differently."""

    proposal: str
    state: str
    template = "proposal {proposal} is {state} already"


@dataclass(eq=False)
class TooManyProposals(StrikelockError):
    """More proposals wait for our user's decision than we keep."""

    limit: int
    template = "{limit} proposals are waiting for a decision already: try again later"


@dataclass(eq=False)
class DeclinedByUser(StrikelockError):
    """Our user does not want the deal."""

    template = "the other party does not want this deal"


@dataclass(eq=False)
class BadConsent(StrikelockError):
    """A release signature that is not good for the leg as it stands now."""

    leg: str
    path: str
    template = "the release signature for path {path} of leg {leg} is not good for what stands there now"


# --- backups ---------------------------------------------------------------------------------------------


@dataclass(eq=False)
class BadDescriptor(StrikelockError):
    """A deal's descriptor that is damaged, altered, or of a form we do not read."""

    name: str
    reason: str
    template = "{name} is not used as a deal's descriptor: {reason}"


@dataclass(eq=False)
class DescriptorUnavailable(StrikelockError):
    """A descriptor's file can't be read or written now."""

    path: str
    reason: str
    template = "{path} can't be used: {reason}"


@dataclass(eq=False)
class NotOurDeal(StrikelockError):
    """A descriptor of somebody else's deal, or of a deal made with another seed."""

    deal: str
    reason: str
    template = "deal {deal} is not one of this seed: {reason}"


@dataclass(eq=False)
class BadRecord(StrikelockError):
    """A record that we wrote and that can't be used here."""

    where: str
    reason: str
    template = "a record of ours on {where} is not used: {reason}"
