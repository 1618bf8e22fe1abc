"""What the API says. The OpenAPI document and the client are made of these models.

Times are UNIX seconds. Amounts are whole numbers of the smallest unit, written as strings of digits: a uint256 is
more than many programs' numbers hold. A coin is "chain/asset".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from relayer.dashboard.models import (
    Check,
    Coin,
    DeadlineCard,
    LegCard,
    StepCard,
    TransactionCard,
)

Units = Annotated[str, Field(pattern="^[0-9]{1,78}$", examples=["100000"])]
DealId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
OfferId = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ProposalId = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
WishName = Literal["exercise", "release", "refund"]


class Part(BaseModel):
    """What all of them share."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Part):
    """A piece of a list. total: how many there are, None where they are not counted. The next piece begins at
    `next`, None at the end."""

    first: int
    total: int | None
    next: int | None


# --- deals -----------------------------------------------------------------------------------------------


class Quorum(Part):
    """The attesters of a deal, and what relying on them means."""

    threshold: int
    members: tuple[str, ...]
    trust: str


class LegWorth(Part):
    """What a leg is worth. state: as it was seen last, None where it is not looked at."""

    chain: str
    asset: str
    units: Units
    state: Literal["absent", "funded", "spent"] | None


class Wishes(Part):
    """What we want of a deal: use the option; give money back early; go no further and get out."""

    exercise: bool
    release: bool
    refund: bool


class DealSummary(Part):
    """A deal in short. kind: of an option, call or put. peer: the URL of the other party, or "". limited: from a
    restored database; it claims and refunds, and does nothing else. outcome: None while it is open. margin:
    seconds left for what we want mined by a deadline, None where nothing is due. times: the terms' deadlines."""

    id: DealId
    protocol: str
    role: str
    kind: str | None
    peer: str
    agreed_at: int
    limited: bool
    outcome: str | None
    margin: int | None
    legs: dict[str, LegWorth]
    times: dict[str, int]
    wishes: Wishes
    quorum: Quorum | None


class Look(Part):
    """An open deal as the chains showed it at the daemon's last look. troubles: what stands in the way of the next
    step. next: who does what next. may: wishes that can still be asked for."""

    at: int
    troubles: tuple[str, ...]
    next: tuple[StepCard, ...]
    legs: tuple[LegCard, ...]
    deadlines: tuple[DeadlineCard, ...]
    may: tuple[WishName, ...]


class Deal(DealSummary):
    """A deal whole. vows: what we promised. transactions: all that we signed. look: None for one that is over, or
    that was not looked at yet."""

    vows: tuple[str, ...]
    transactions: tuple[TransactionCard, ...]
    look: Look | None


class DealPage(Page):
    deals: tuple[DealSummary, ...]


class TermsDocument(Part):
    """What both parties agreed on. terms: in the form that is hashed. descriptor: signed by us; with it and the
    seed `strikelock recover` settles the deal. It holds no secret."""

    deal: DealId
    digest: str
    terms: dict[str, object]
    descriptor: str


# --- proposals and quotes --------------------------------------------------------------------------------


class Proposal(Part):
    """A deal that is talked about. sent: by us. pending: our last message was not confirmed yet, so it is sent
    again. deal: what it became. reason: why it was refused, or lapsed."""

    id: ProposalId
    sent: bool
    protocol: str
    role: str
    peer: str
    url: str
    state: Literal["offered", "received", "accepted", "agreed", "refused", "lapsed"]
    pending: bool
    created_at: int
    until: int
    deal: DealId | None
    reason: str | None
    legs: dict[str, LegWorth]
    times: dict[str, int]
    options: dict[str, str]
    quorum: Quorum | None


class ProposalPage(Page):
    proposals: tuple[Proposal, ...]


class Quote(Part):
    """What an option is worth. premium: fair times 1 + spread, rounded up, in the strike leg's asset. fair, vega
    (per volatility of 1), theta (per day), free_look and per_hour: in whole coins of it; delta in whole underlying
    coins. times: the shortest deadlines that are safe for both parties, from now."""

    coin: str
    premium: Units
    fair: float
    spread: float
    hours: float
    per_hour: float
    delta: float
    vega: float
    theta: float
    free_look: float
    times: dict[str, int]


# --- offers ----------------------------------------------------------------------------------------------


class Offer(Part):
    """A signed offer. Amounts are of all of it. remaining: what is left. premium: None where each quote is priced,
    by vol (per year) and spread. expiry: the last moment of exercise; until: when it ends. What only its maker
    knows is None for others': withdrawn_at, spot (that it is quoted by) and spot_at."""

    id: OfferId
    maker: str
    kind: Literal["call", "put"]
    role: str
    taker_role: str
    underlying: str
    money: str
    size: Units
    least: Units
    step: Units
    remaining: Units
    strike: Units
    premium: Units | None
    premium_coin: str
    vol: float | None
    spread: float | None
    releases: bool
    expiry: int
    until: int
    made_at: int
    networks: dict[str, str]
    withdrawn_at: int | None
    spot: float | None
    spot_at: int | None


class OfferPage(Page):
    offers: tuple[Offer, ...]


class PartQuote(Part):
    """What a part of another's offer costs. It binds its maker alone, until a moment, and towards us alone."""

    id: str
    offer: OfferId
    size: Units
    premium: Units
    premium_coin: str
    legs: dict[str, LegWorth]
    times: dict[str, int]
    until: int


class Taking(Part):
    """A part that was taken of an offer of ours, or by us (`ours`). failed_at: when it fell through."""

    id: str
    offer: OfferId
    ours: bool
    peer: str
    size: Units
    premium: Units
    state: Literal["asked", "reserved", "agreed", "live", "done", "failed", "withdrawn"]
    proposal: ProposalId | None
    deal: DealId | None
    outcome: str | None
    taken_at: int
    failed_at: int | None


class TakingPage(Page):
    takings: tuple[Taking, ...]


# --- legs ------------------------------------------------------------------------------------------------


class Leg(LegCard):
    """A leg of an open deal."""

    deal: DealId


class LegPage(Page):
    legs: tuple[Leg, ...]


# --- messages between chains -----------------------------------------------------------------------------


class Lane(Part):
    """A lane of messages, as its relayer left it in our database. source, destination: chains of the
    configuration, None for a lane that it does not have. messages: known ones, all in final blocks of the source.
    attested: by a quorum. settled: delivered for good. halted: why nothing goes on there."""

    name: str
    id: str
    source: str | None
    destination: str | None
    paused: bool
    halted: str | None
    messages: int
    attested: int
    settled: int
    backlog: int


class LanePage(Page):
    lanes: tuple[Lane, ...]


class Message(Part):
    """A message of a lane. held_until: the governor lets it out then."""

    id: str
    lane: str
    index: int
    height: int
    sender: str
    recipient: str
    gas: int
    payload: str
    state: Literal["final", "attested", "submitted", "settled"]
    held_until: int | None


class MessagePage(Page):
    messages: tuple[Message, ...]


# --- chains, fees, accounts ------------------------------------------------------------------------------


class Timing(Part):
    """What deadlines on a chain are derived from; seconds and blocks."""

    process: str
    interval: float
    inclusion: int
    depth: int
    median_span: int
    clock_error: int
    stale_after: int


class Chain(Part):
    """A chain as it was seen last. age: of its best block, seconds. clock: what deadlines on it are compared with.
    pending: transactions of ours that are not final."""

    name: str
    family: str
    identity: str
    well: bool
    detail: str
    height: int | None
    hash: str | None
    age: int | None
    clock: int | None
    pending: int
    timing: Timing


class ChainPage(Page):
    chains: tuple[Chain, ...]


class Prices(Part):
    """What a node said at a block, in `unit`: enough to be mined in some blocks, in the next one, the least."""

    height: int
    economical: Units
    urgent: Units
    floor: Units


class Fees(Part):
    """Fees on a chain. cap: most native units a transaction of ours may cost where the leg is a token;
    share_permille: of the leg's value, where nothing is at stake. pending: what our transactions in flight cost at
    the most. prices: None before the first look."""

    chain: str
    unit: str
    cap: Units
    share_permille: int
    pending: Units
    prices: Prices | None


class FeePage(Page):
    fees: tuple[Fees, ...]


class Balance(Part):
    """What an account holds, confirmed."""

    coin: str
    asset: str
    symbol: str
    decimals: int | None
    units: Units


class Account(Part):
    """A wallet of ours. balances: None before they were looked at."""

    chain: str
    address: str
    balances: tuple[Balance, ...] | None


class AccountPage(Page):
    accounts: tuple[Account, ...]


# --- events ----------------------------------------------------------------------------------------------

ResetReason = Literal["new", "lost"]


class Reset(Part):
    """The first event: so many events of deals follow that say what stands now. new: nothing was asked for; lost:
    what came after the event that was asked for is not kept any more."""

    reason: ResetReason
    deals: int


# --- ourselves -------------------------------------------------------------------------------------------


class Party(Part):
    """Who answers. url: where counterparties reach us. open: deals. look: number of the daemon's last look."""

    version: str
    identity: str
    url: str
    now: int
    open: int
    look: int
    live: bool
    ready: bool
    checks: tuple[Check, ...]
    coins: dict[str, Coin]


class Token(Part):
    """A token, without its secret."""

    id: str
    name: str
    scope: Literal["read", "trade", "admin"]
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class TokenPage(Page):
    tokens: tuple[Token, ...]


class FreshToken(Part):
    """A new token. secret: what is shown as `Authorization: Bearer SECRET`; it is not told again."""

    token: Token
    secret: str
