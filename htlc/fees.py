"""What a transaction bids now: economical far from its deadline, urgent near it, at last what the leg is worth.
Pure.

A claim that is not mined in time loses the whole leg, so its price climbs to the leg's value; Loop and LDK
climb in the same way (https://github.com/lightninglabs/loop,
https://github.com/lightningdevkit/rust-lightning). Replacement rules: BIP125 (an absolute step on top of the
last price) and the nodes' rule for EIP-1559 accounts (a share of it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chains.port import FeeEstimate

PERMILLE = 1000
SAMPLE_PRICE = 10**9  # of the price units in which `FeePolicy.usual_cost` is said


class Purpose(StrEnum):
    FUND = "fund"  # worth a share of the leg; without it there is no deal, and nothing is lost
    CANCEL = "cancel"  # a funding that must not confirm: its amount is at stake
    CLAIM = "claim"  # preimages are out: the leg is at stake
    REFUND = "refund"  # no hurry, unless it has a deadline


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """One party's fee policy on one chain.

    patience: seconds that a bid at the urgent price may take to be mined (d); it starts to climb that long
    before a deadline. usual_cost: native units that a usual transaction costs at SAMPLE_PRICE. cap: most native
    units a fee may cost where the leg's value is not in the native coin. share_permille: of the leg's value, what
    a fee may cost where nothing is at stake. bump_permille and step: how far above the last price a replacement
    must be, in proportion and in price units.
    """

    patience: int
    usual_cost: int
    cap: int
    share_permille: int = 100
    bump_permille: int = 125
    step: int = 0

    @property
    def pause(self) -> int:
        """Seconds between two looks, or two bids, beyond which we were out."""
        return self.patience // 2

    def least(self, last_price: int) -> int:
        """The least price of a replacement."""
        share = -(-last_price * (PERMILLE + self.bump_permille) // PERMILLE)
        return max(share, last_price + self.step)


@dataclass(frozen=True, slots=True)
class Climb:
    """since: UNIX seconds from which a climb counts. due: we are back from an outage that began after the newest
    bid, and the return is marked by a bid of its own: what comes after it, in this process or in the next,
    counts from there."""

    since: int
    due: bool = False


def climb(signed: Sequence[int], watched: int, pause: int, now: int) -> Climb:
    """From when on the climb of a lineage counts at `now`.

    signed: when its attempts were, oldest first. watched: since when this process has seen the chain without a
    `pause`. A bid that was out of our hands for long says little of what it takes now, so a climb starts anew
    with the return; a crash that is over before a pause changes nothing, and whoever returns again and again
    bids more each time.
    """
    if not signed:
        return Climb(now)
    if watched - signed[-1] > pause:
        return Climb(watched, due=True)
    since = signed[-1]
    for earlier in reversed(signed[:-1]):
        if since - earlier > pause and earlier < watched:
            break
        since = earlier
    return Climb(since)


@dataclass(frozen=True, slots=True)
class Bid:
    """price: to sign at now, in the chain's price unit; None to leave what was signed last as it is. cap: the
    most that the transaction may cost, in native units."""

    price: int | None
    cap: int


def bid(
    estimate: FeeEstimate,
    policy: FeePolicy,
    purpose: Purpose,
    *,
    now: int,
    started: Climb,
    deadline: int | None,
    value: int | None,
    last_price: int | None,
) -> Bid:
    """What to bid at `now` for a transaction that should be in a block before `deadline`.

    started: of the lineage, see `climb`. value: of the leg, in native units, None where it is a token's.
    last_price: of the newest attempt that may still be mined, None for the first.
    """
    if purpose is Purpose.CANCEL and deadline is None:
        deadline = started.since + policy.patience
    cap = fee_cap(policy, purpose, deadline, value)
    ceiling = max(cap * SAMPLE_PRICE // policy.usual_cost, 1)
    price = _wanted(estimate, policy, purpose, now, started.since, deadline, ceiling)
    if last_price is None:
        return Bid(max(min(price, ceiling), estimate.floor), cap)
    least = policy.least(last_price)
    if started.due and _climbs(policy, purpose, now, deadline):
        price = max(price, least)
    return Bid(min(price, ceiling) if least <= min(price, ceiling) else None, cap)


def fee_cap(policy: FeePolicy, purpose: Purpose, deadline: int | None, value: int | None) -> int:
    """The most a transaction may cost: what it saves where a leg is at stake, else a share of that."""
    if value is None:
        return policy.cap
    at_stake = purpose in (Purpose.CLAIM, Purpose.CANCEL) or (purpose is Purpose.REFUND and deadline is not None)
    return value if at_stake else value * policy.share_permille // PERMILLE


def _wanted(
    estimate: FeeEstimate,
    policy: FeePolicy,
    purpose: Purpose,
    now: int,
    started: int,
    deadline: int | None,
    ceiling: int,
) -> int:
    """The price that the time left asks for, whatever was bid before."""
    economical = max(estimate.economical, estimate.floor)
    urgent = max(estimate.urgent, economical)
    if deadline is None:
        return economical
    left = deadline - now
    if left > policy.patience:
        return _between(economical, urgent, 2 - left / policy.patience)
    if not _climbs(policy, purpose, now, deadline):
        return urgent
    # The climb starts when the first attempt is made, however late: nobody pays the whole leg for a first bid.
    begin = max(started, deadline - policy.patience)
    end = max(deadline, begin + policy.patience // 2)
    progress = min((now - begin) / max(end - begin, 1), 1.0)
    return _between(urgent, max(ceiling, urgent), max(progress, 0.0) ** 2)


def _climbs(policy: FeePolicy, purpose: Purpose, now: int, deadline: int | None) -> bool:
    """The deadline is near, and money is lost by missing it."""
    return purpose is not Purpose.FUND and deadline is not None and deadline - now <= policy.patience


def _between(low: int, high: int, share: float) -> int:
    """Geometrically between two prices: share 0 is low, 1 is high."""
    if share <= 0 or low <= 0:
        return low
    return high if share >= 1 else int(low * (high / low) ** share)
