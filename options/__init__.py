"""Option contracts, payoffs, pricing and Greeks. Imports nothing of ours and does no I/O.

Names are loaded when first used: importing the package costs nothing. The European, implied-volatility,
American and scenario functions come from a compiled kernel (AVX-512, AVX2 or baseline, whichever the
processor runs) or from its pure-Python twin; the environment variable STRIKELOCK_OPTIONS chooses: auto (the
default), avx512, avx2, baseline or python. `kernel_name()` says which is in use. The packages
`options.montecarlo` and `options.volatility` hold simulation and smiles.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from options._native import (
        american,
        american_greeks,
        black76,
        black76_greeks,
        black_scholes,
        greeks,
        implied_vol,
        inverse,
        inverse_greeks,
        kernel_name,
        scenario_grid,
    )
    from options.contracts import (
        Amount,
        Asset,
        DigitalContract,
        OptionContract,
        Price,
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
    from options.exotics.asian import asian as asian
    from options.exotics.barrier import barrier as barrier
    from options.exotics.digital import digital as digital
    from options.exotics.double_barrier import double_barrier as double_barrier
    from options.exotics.lookback import lookback as lookback
    from options.lock import (
        Lock,
        LockRow,
        lock_premium,
        lock_table,
        premium_per_hour,
    )
    from options.montecarlo.early_exercise import longstaff_schwartz as longstaff_schwartz
    from options.quoting import (
        Market,
        Quote,
        Window,
        quote,
    )
    from options.results import (
        CallPut,
        CallPutGreeks,
        Greeks,
    )
    from options.tree import crr as crr

__all__ = [
    "Amount",
    "Asset",
    "CallPut",
    "CallPutGreeks",
    "DigitalContract",
    "Greeks",
    "InputTypeError",
    "InvalidInputError",
    "KernelUnavailableError",
    "KindError",
    "Lock",
    "LockRow",
    "Market",
    "NoLimitError",
    "OptionContract",
    "OptionsError",
    "Price",
    "PriceOutsideBoundsError",
    "Quote",
    "ShapeError",
    "Window",
    "american",
    "american_greeks",
    "asian",
    "barrier",
    "black76",
    "black76_greeks",
    "black_scholes",
    "crr",
    "digital",
    "double_barrier",
    "greeks",
    "implied_vol",
    "inverse",
    "inverse_greeks",
    "kernel_name",
    "lock_premium",
    "lock_table",
    "longstaff_schwartz",
    "lookback",
    "premium_per_hour",
    "quote",
    "scenario_grid",
]

# Where each public name lives; "kernel" stands for the compiled module or its twin.
_HOMES = {
    "kernel": (
        "american",
        "american_greeks",
        "black76",
        "black76_greeks",
        "black_scholes",
        "greeks",
        "implied_vol",
        "inverse",
        "inverse_greeks",
        "kernel_name",
        "scenario_grid",
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
    "options.results": (
        "CallPut",
        "CallPutGreeks",
        "Greeks",
    ),
    "options.tree": ("crr",),
    "options.exotics.asian": ("asian",),
    "options.exotics.barrier": ("barrier",),
    "options.exotics.digital": ("digital",),
    "options.exotics.double_barrier": ("double_barrier",),
    "options.exotics.lookback": ("lookback",),
    "options.lock": (
        "Lock",
        "LockRow",
        "lock_premium",
        "lock_table",
        "premium_per_hour",
    ),
    "options.contracts": (
        "Amount",
        "Asset",
        "DigitalContract",
        "OptionContract",
        "Price",
    ),
    "options.quoting": (
        "Market",
        "Quote",
        "Window",
        "quote",
    ),
    "options.montecarlo.early_exercise": ("longstaff_schwartz",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_PACKAGES = ("backend", "montecarlo", "volatility")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"options.{name}")
    try:
        home = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module 'options' has no attribute {name!r}") from None
    module = import_module("options.backend").chosen() if home == "kernel" else import_module(home)
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*__all__, *_PACKAGES))
