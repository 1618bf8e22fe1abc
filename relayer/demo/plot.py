"""What a demo plays: which protocol, on which chains, and what each party wants when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chains.legs import NATIVE
from htlc.protocols.base import Will
from htlc.terms import LegTerms
from options.quoting import Market

COIN = 100_000_000  # satoshis
ETHER = 10**18  # wei
TOKEN = 10**6  # units of the test token
VOLATILITY = 0.6  # per year


class Outcome(StrEnum):
    """exercised: it goes through (a swap: both are paid). expired: the option lives and is not used (a swap: only
    the first leg is ever funded). abandoned: everything is funded, and the party that must show its secret first
    does not. unfunded: nobody funds anything."""

    EXERCISED = "exercised"
    EXPIRED = "expired"
    ABANDONED = "abandoned"
    UNFUNDED = "unfunded"


# The protocol's own word for each outcome, as each party reads it off the chains.
VERDICTS: Mapping[str, Mapping[Outcome, str]] = {
    "option": {outcome: outcome.value for outcome in Outcome},
    "attested": {outcome: outcome.value for outcome in Outcome},
    "swap": {
        Outcome.EXERCISED: "swapped",
        Outcome.EXPIRED: "refunded",
        Outcome.ABANDONED: "refunded",
        Outcome.UNFUNDED: "unfunded",
    },
}

CHAIN_PAIRS: Mapping[str, tuple[str, str]] = {
    "bitcoin/evm": ("bitcoin", "evm"),
    "litecoin/evm": ("litecoin", "evm"),
    "bitcoin/litecoin": ("bitcoin", "litecoin"),
    "evm/evm": ("evm", "evm2"),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One demo. chains: of the two assets. legs: what is traded; the premium is quoted anew from `market`."""

    protocol: str
    outcome: Outcome
    kind: str
    chains: tuple[str, str]
    legs: Mapping[str, LegTerms]
    market: Market

    @property
    def roles(self) -> tuple[str, str]:
        return ("initiator", "participant") if self.protocol == "swap" else ("writer", "holder")

    @property
    def verdict(self) -> str:
        """What both parties must read off the chains in the end."""
        return VERDICTS[self.protocol][self.outcome]

    @property
    def penniless(self) -> str | None:
        """The role that gets no money to fund its legs with, so that it never does."""
        first, second = self.roles
        if self.outcome is Outcome.UNFUNDED:
            return first
        return second if self.outcome is Outcome.EXPIRED and self.protocol == "swap" else None

    def will(self, role: str, stands: bool, live: bool) -> Will:
        """What a party wants. stands: the first leg is funded for good. live: a secret is public."""
        first = role == self.roles[0]
        if self.outcome is Outcome.ABANDONED and first and stands:
            return Will(stop=True)
        if self.outcome is Outcome.EXERCISED and self.protocol != "swap" and not first and live:
            return Will(exercise=True)
        return Will()


def plot(protocol: str, outcome: Outcome, kind: str, pair: str, tokens: Mapping[str, str]) -> Plot:
    """The demo of a protocol on a pair of chains. The underlying is the first chain's coin, paid in the
    second chain's test token, or its coin where there is none; a put locks the money, pays in coin."""
    first, second = CHAIN_PAIRS[pair]
    unit = ETHER if first in tokens else COIN
    underlying, money = LegTerms(first, NATIVE, unit // 10), _money(second, tokens, 6000)
    market = Market(spot=60_000.0 if second in tokens else 60.0, vol=VOLATILITY)
    if protocol == "swap":
        legs = {"x": underlying, "y": money}
    elif kind == "put":
        legs = {"collateral": money, "premium": LegTerms(first, NATIVE, unit // 100), "strike": underlying}
    else:
        legs = {"collateral": underlying, "premium": _money(second, tokens, 25), "strike": money}
    return Plot(protocol, outcome, kind, (first, second), legs, market)


def _money(chain: str, tokens: Mapping[str, str], units: int) -> LegTerms:
    """So many test tokens, or on a chain without one so many thousandths of its coin."""
    if chain in tokens:
        return LegTerms(chain, tokens[chain], units * TOKEN)
    return LegTerms(chain, NATIVE, units * COIN // 1000)
