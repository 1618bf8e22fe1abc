"""What a transaction bids now: economical far from its deadline, urgent near it, at last what the leg is worth.
Pure.

A claim that is not mined in time loses the whole leg, so its price climbs to the leg's value; Loop and LDK
climb in the same way (https://github.com/lightninglabs/loop,
https://github.com/lightningdevkit/rust-lightning). Replacement rules: BIP125 (an absolute step on top of the
last price) and the nodes' rule for EIP-1559 accounts (a share of it).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chains.port import FeeEstimate

PERMILLE = 1000


class Purpose(StrEnum):
    FUND = "fund"  # worth a share of the leg; without it there is no deal, and nothing is lost
    CANCEL = "cancel"  # a funding that must not confirm: its amount is at stake
    CLAIM = "claim"  # preimages are out: the leg is at stake
    REFUND = "refund"  # no hurry, unless it has a deadline


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """One party's fee policy on one chain.

    patience: seconds that a bid at the urgent price may take to be mined (d); it starts to climb that long
    before a deadline. weight: native units that one unit of price costs for a usual transaction (0.2 for 200
    vbytes priced per 1000; 100000 for as much gas). cap: most native units a fee may cost where the leg's value
    is not in the native coin. share_permille: of the leg's value, what a fee may cost where nothing is at
    stake. bump_permille and step: how far above the last price a replacement must be, in proportion and in
    price units.
    """

    patience: int
    weight: float
    cap: int
    share_permille: int = 100
    bump_permille: int = 125
    step: int = 0


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
    started: int,
    deadline: int | None,
    value: int | None,
    last_price: int | None,
    weight: float | None = None,
) -> Bid:
    """What to bid at `now` for a transaction first signed at `started` that should be in a block before
    `deadline`.

    value: of the leg, in native units, None where it is a token's. weight: of this very transaction, if known.
    last_price: of the newest attempt that may still be mined, None for the first.
    """
    if purpose is Purpose.CANCEL and deadline is None:
        deadline = started + policy.patience
    cap = fee_cap(policy, purpose, deadline, value)
    ceiling = max(int(cap / (weight or policy.weight)), 1)
    price = _wanted(estimate, policy, purpose, now, started, deadline, ceiling)
    if last_price is None:
        return Bid(max(min(price, ceiling), estimate.floor), cap)
    least = max(-(-last_price * (PERMILLE + policy.bump_permille) // PERMILLE), last_price + policy.step)
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
    if purpose is Purpose.FUND:
        return urgent
    # The climb starts when the first attempt is made, however late: nobody pays the whole leg for a first bid.
    begin = max(started, deadline - policy.patience)
    end = max(deadline, begin + policy.patience // 2)
    progress = min((now - begin) / max(end - begin, 1), 1.0)
    return _between(urgent, max(ceiling, urgent), max(progress, 0.0) ** 2)


def _between(low: int, high: int, share: float) -> int:
    """Geometrically between two prices: share 0 is low, 1 is high."""
    if share <= 0 or low <= 0:
        return low
    return high if share >= 1 else int(low * (high / low) ** share)
