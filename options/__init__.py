"""Option contracts, payoffs, pricing and Greeks. Imports nothing of ours and does no I/O.

Names are loaded when first used: importing the package costs nothing. The European, implied-volatility and
American functions come from a compiled kernel (AVX-512, AVX2 or baseline, whichever the processor runs) or from
its pure-Python twin; the environment variable STRIKELOCK_OPTIONS chooses: auto (the default), avx512, avx2,
baseline or python. `kernel_name()` says which is in use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from options._native import (
        black76,
        black76_greeks,
        black_scholes,
        greeks,
        implied_vol,
        inverse,
        inverse_greeks,
        kernel_name,
    )
    from options.errors import (
        InputTypeError,
        InvalidInputError,
        KernelUnavailableError,
        KindError,
        NoLimitError,
        OptionsError,
        PriceOutsideBoundsError,
        ShapeError,
    )
    from options.results import CallPut, CallPutGreeks, Greeks

__all__ = [
    "CallPut",
    "CallPutGreeks",
    "Greeks",
    "InputTypeError",
    "InvalidInputError",
    "KernelUnavailableError",
    "KindError",
    "NoLimitError",
    "OptionsError",
    "PriceOutsideBoundsError",
    "ShapeError",
    "black76",
    "black76_greeks",
    "black_scholes",
    "greeks",
    "implied_vol",
    "inverse",
    "inverse_greeks",
    "kernel_name",
]

# Where each public name lives; "kernel" stands for the compiled module or its twin.
_HOMES = {
    "kernel": (
        "black76",
        "black76_greeks",
        "black_scholes",
        "greeks",
        "implied_vol",
        "inverse",
        "inverse_greeks",
        "kernel_name",
    ),
    "options.errors": (
        "InputTypeError",
        "InvalidInputError",
        "KernelUnavailableError",
        "KindError",
        "NoLimitError",
        "OptionsError",
        "PriceOutsideBoundsError",
        "ShapeError",
    ),
    "options.results": ("CallPut", "CallPutGreeks", "Greeks"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module 'options' has no attribute {name!r}") from None
    if home == "kernel":
        module = import_module("options.backend").chosen()
    else:
        module = import_module(home)
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
