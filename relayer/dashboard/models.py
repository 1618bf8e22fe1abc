"""The document behind the page. Everything in it is derived when it is made.

Times are UNIX seconds. Amounts are whole numbers of the smallest unit, written as strings: a uint256 is more
than a number of JavaScript holds. `coin` is a key of `Board.coins`, "chain/asset".
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Coin(_Part):
    """How an asset is written. decimals: None while its chain was not asked yet."""

    symbol: str
    decimals: int | None


class Holding(_Part):
    """What a wallet of ours holds, confirmed."""

    coin: str
    units: str
    address: str
    link: str | None


class ChainCard(_Part):
    """A chain as it was seen last. age: of its best block. clock: what deadlines on it are compared with. detail:
    the words of the health check. pending: transactions of ours that are not final."""

    name: str
    family: str
    well: bool
    detail: str
    height: int | None
    age: int | None
    stale_after: int
    clock: int | None
    pending: int


class Check(_Part):
    """One thing that must hold."""

    name: str
    well: bool
    detail: str


class StepCard(_Part):
    """Who does what next, and by when at the latest."""

    who: str
    text: str
    by: int | None


class DeadlineCard(_Part):
    """A time of the terms. chain: the one whose clock counts. over: nothing hangs on it any more."""

    name: str
    at: int
    chain: str
    text: str
    over: bool


class LegCard(_Part):
    """A leg. depth: confirmations of what the state says; need: how many make it final. until: the time from
    which its money may go back, None where it never does."""

    name: str
    chain: str
    coin: str
    units: str
    address: str
    link: str | None
    funder: str
    state: Literal["absent", "funded", "spent"]
    path: str | None
    depth: int
    need: int
    held: str
    until: int | None


class TransactionCard(_Part):
    """A transaction we signed. fee: paid once it is mined, else the most it can cost."""

    chain: str
    leg: str
    step: str
    txid: str
    link: str | None
    signed_at: int
    phase: str
    depth: int
    need: int
    fee: str


class DealCard(_Part):
    """An open deal. margin: seconds left for what we want mined by a deadline now, None where nothing is due.
    kind: of an option, call or put. will: what the user asked for; may: what could still be asked for."""

    id: str
    protocol: str
    kind: str | None
    option: bool
    role: str
    peer: str
    agreed_at: int
    limited: bool
    margin: int | None
    troubles: tuple[str, ...]
    steps: tuple[StepCard, ...]
    legs: tuple[LegCard, ...]
    deadlines: tuple[DeadlineCard, ...]
    transactions: tuple[TransactionCard, ...]
    will: tuple[str, ...]
    may: tuple[str, ...]


class ClosedCard(_Part):
    """A deal that is over."""

    id: str
    protocol: str
    role: str
    outcome: str
    agreed_at: int


class ProposalCard(_Part):
    """A proposal that is not decided. sent: it is ours."""

    id: str
    protocol: str
    role: str
    state: str
    sent: bool
    peer: str
    until: int


class Lane(_Part):
    """Messages from one chain to another. oldest: seconds since the oldest waiting one was sent."""

    name: str
    source: str
    destination: str
    state: Literal["running", "paused", "halted"]
    backlog: int
    delivered: int
    oldest: int | None = None
    detail: str = ""


class Lanes(_Part):
    """All lanes of a relayer. trouble: why what stands here is old, or is nothing."""

    trouble: str | None
    lanes: tuple[Lane, ...]


class Board(_Part):
    """The whole page. deals: at most `window` of `open` ones from `first` on, the most urgent first. relayer: None
    where none is configured."""

    version: str
    identity: str
    now: int
    live: bool
    ready: bool
    checks: tuple[Check, ...]
    coins: dict[str, Coin]
    chains: tuple[ChainCard, ...]
    holdings: tuple[Holding, ...]
    open: int
    first: int
    window: int
    deals: tuple[DealCard, ...]
    closed: tuple[ClosedCard, ...]
    proposals: tuple[ProposalCard, ...]
    relayer: Lanes | None

    @cached_property
    def text(self) -> str:
        """The document, written once for all who read it."""
        return self.model_dump_json()


class Point(_Part):
    """Profit of our side at one price of the underlying: at expiry, and if it ended today (None: not known)."""

    spot: float
    expiry: float
    today: float | None


class Profile(_Part):
    """An option of a deal as a position of ours, in whole coins.

    underlying and money: keys of `Board.coins`. strike: money for one whole underlying. size: underlying coins.
    premium: as paid, in `premium_coin`; counted: it is part of the profits. value: of the option today.
    breakeven: the price at which the profit at expiry is zero. Greeks are of the whole position: delta and gamma
    in underlying coins (per unit of price), vega per point of volatility, theta per day, rho per point of rate,
    in money.
    """

    kind: Literal["call", "put"]
    side: Literal["long", "short"]
    underlying: str
    money: str
    size: float
    strike: float
    premium: float
    premium_coin: str
    counted: bool
    years: float
    breakeven: float | None
    points: tuple[Point, ...]
    value: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    rho: float | None = None
