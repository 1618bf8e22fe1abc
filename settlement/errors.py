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


# --- offers ----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class OfferError(StrikelockError):
    """An offer that can't be made, or a taking that can't be had. Callers that refuse whatever the reason catch
    this."""


@dataclass(eq=False)
class BadOffer(OfferError):
    """An offer that contradicts itself."""

    reason: str
    template = "that is no offer: {reason}"


@dataclass(eq=False)
class NoSuchOffer(OfferError):
    """An offer that we don't know."""

    offer: str
    template = "there is no offer {offer} here"


@dataclass(eq=False)
class NoSuchTaking(OfferError):
    """A taking that we don't know."""

    taking: str
    template = "nothing was taken here by the quote {taking}"


@dataclass(eq=False)
class OfferOver(OfferError):
    """An offer that was withdrawn, that has ended, or whose option can't be set up before it expires."""

    offer: str
    reason: str
    template = "offer {offer} is over: {reason}"


@dataclass(eq=False)
class BadSize(OfferError):
    """A size that an offer is not taken in."""

    size: int
    least: int
    step: int
    most: int
    template = "{size} can't be taken: a part is from {least} to {most}, in steps of {step}"


@dataclass(eq=False)
class SoldOut(OfferError):
    """Less is left of an offer than was asked for."""

    size: int
    remaining: int
    template = "{size} can't be taken: {remaining} is left"


@dataclass(eq=False)
class NoSpot(OfferError):
    """The maker has no price of the underlying that is fresh enough to quote by."""

    pair: str
    reason: str
    template = "there is no price of {pair} to quote by: {reason}"


@dataclass(eq=False)
class NotInStock(OfferError):
    """The maker's wallet does not hold what its side of the deal takes."""

    asset: str
    template = "the maker does not hold enough of {asset} now"


@dataclass(eq=False)
class NotACustomer(OfferError):
    """The maker deals with some parties only, and this one is not among them."""

    peer: str
    template = "{peer} is not among those whom this party trades with"


@dataclass(eq=False)
class TooManyTakings(OfferError):
    """More was taken, and is not paid for yet, than the maker allows. who: one peer, or all together."""

    who: str
    limit: int
    template = "{who} may have {limit} takings open that are not paid for yet"


@dataclass(eq=False)
class TooMuchLocked(OfferError):
    """The maker's money that unpaid takings lock would be more than it allows. who: one peer, or all together."""

    who: str
    asset: str
    limit: int
    template = "{who} may lock {limit} of {asset} by takings that are not paid for yet"


@dataclass(eq=False)
class CoolingDown(OfferError):
    """The peer let takings fall through, and has to wait."""

    until: int
    template = "earlier takings fell through: try again after {until}"


@dataclass(eq=False)
class QuoteExpired(OfferError):
    """A quote that is taken too late."""

    until: int
    now: int
    template = "the quote was good until {until}, it is {now}"


@dataclass(eq=False)
class NotOurQuote(OfferError):
    """A take of something that is no quote of ours to the peer that sends it."""

    reason: str
    template = "that is no quote of this party's: {reason}"


@dataclass(eq=False)
class QuoteMismatch(OfferError):
    """A quote, or a proposal made of it, that is not what was offered or quoted."""

    field: str
    expected: str
    found: str
    template = "{field} is {found} where {expected} was agreed on"


@dataclass(eq=False)
class TakingOver(OfferError):
    """A taking that came to nothing, or that another proposal answered already."""

    taking: str
    state: str
    template = "what was taken by the quote {taking} is {state} already"


@dataclass(eq=False)
class TooDear(OfferError):
    """A quoted premium that is worse for us than we said we would take."""

    premium: int
    limit: int
    template = "the premium is {premium}, and the limit was {limit}"


@dataclass(eq=False)
class RefusedByPeer(OfferError):
    """The maker said no. code: the name of its error."""

    code: str
    reason: str
    template = "the other party refuses ({code}): {reason}"
