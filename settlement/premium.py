"""What the option of a deal is worth: from its legs and its ladder to a contract of `options`, and its quote."""

from __future__ import annotations

from collections.abc import Mapping

from htlc.terms import LegTerms
from options.contracts import Amount, Asset, OptionContract
from options.quoting import Market, Quote, Window, quote


def option_quote(
    kind: str,
    legs: Mapping[str, LegTerms],
    decimals: Mapping[str, int],
    times: Mapping[str, int],
    now: int,
    market: Market,
    spread: float = 0.0,
) -> Quote:
    """The premium of an option, in units of the asset its strike leg is paid in.

    kind: "call" or "put". legs: "collateral" and "strike" at least. decimals: of each leg's asset, by leg name.
    times: the ladder. now: UNIX seconds. market: spot of a whole coin of the underlying in whole coins of the
    money, and volatility per year. Raises an OptionsError.
    """
    call = kind == "call"
    underlying, money = ("collateral", "strike") if call else ("strike", "collateral")
    contract = OptionContract(
        kind="call" if call else "put",
        underlying=_amount(legs[underlying], decimals[underlying]),
        strike=_amount(legs[money], decimals[money]),
        expiry=times["expiry"],
    )
    window = Window(now=now, activate_by=times["premium"], exercise_by=times["expiry"])
    return quote(contract, market, window, spread)


def _amount(leg: LegTerms, decimals: int) -> Amount:
    return Amount(Asset(f"{leg.chain}/{leg.asset}", decimals), leg.amount)
