"""The pricing core in pure Python: the kernel's functions, arguments, results and errors, one option at a time.

It shares no numerical code with the kernel. Every test runs on both; how far they may differ is stated in
docs/options/.
"""

from options.twin.european import (
    black76,
    black76_greeks,
    black_scholes,
    greeks,
    inverse,
    inverse_greeks,
)
from options.twin.implied import implied_vol

__all__ = [
    "black76",
    "black76_greeks",
    "black_scholes",
    "greeks",
    "implied_vol",
    "inverse",
    "inverse_greeks",
    "kernel_name",
]


def kernel_name() -> str:
    """Name of the implementation in use: python."""
    return "python"
