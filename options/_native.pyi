from typing import Any, Literal, overload

from options._arrays import FloatArray
from options.results import CallPut, CallPutGreeks, Greeks

Both = Literal["both"]
Out = Any

def kernel_names() -> tuple[str, ...]: ...
def use_kernel(name: str) -> str: ...
def kernel_name() -> str: ...
@overload
def black_scholes(  # type: ignore[overload-overlap]
    kind: Both,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPut[float]: ...
@overload
def black_scholes(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> float: ...
@overload
def black_scholes(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def greeks(  # type: ignore[overload-overlap]
    kind: Both,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPutGreeks[float]: ...
@overload
def greeks(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> Greeks[float]: ...
@overload
def greeks(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def black76(  # type: ignore[overload-overlap]
    kind: Both,
    forward: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPut[float]: ...
@overload
def black76(
    kind: str | int,
    forward: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> float: ...
@overload
def black76(
    kind: Any,
    forward: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def black76_greeks(  # type: ignore[overload-overlap]
    kind: Both,
    forward: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPutGreeks[float]: ...
@overload
def black76_greeks(
    kind: str | int,
    forward: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> Greeks[float]: ...
@overload
def black76_greeks(
    kind: Any,
    forward: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def inverse(  # type: ignore[overload-overlap]
    kind: Both,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPut[float]: ...
@overload
def inverse(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> float: ...
@overload
def inverse(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def inverse_greeks(  # type: ignore[overload-overlap]
    kind: Both,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> CallPutGreeks[float]: ...
@overload
def inverse_greeks(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> Greeks[float]: ...
@overload
def inverse_greeks(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def implied_vol(
    kind: str | int,
    price: float,
    forward: float,
    strike: float,
    years: float,
    rate: float = 0.0,
    *,
    out: None = None,
    threads: int = 1,
) -> float: ...
@overload
def implied_vol(
    kind: Any,
    price: Any,
    forward: Any,
    strike: Any,
    years: Any,
    rate: Any = 0.0,
    *,
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def american(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    precision: str = "fast",
    out: None = None,
    threads: int = 1,
) -> float: ...
@overload
def american(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    precision: str = "fast",
    out: Out = None,
    threads: int = 1,
) -> Any: ...
@overload
def american_greeks(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    precision: str = "fast",
    out: None = None,
    threads: int = 1,
) -> Greeks[float]: ...
@overload
def american_greeks(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    precision: str = "fast",
    out: Out = None,
    threads: int = 1,
) -> Any: ...
def scenario_grid(
    kind: Any,
    spot: Any,
    strike: Any,
    years: Any,
    vol: Any,
    rate: Any = 0.0,
    dividend: Any = 0.0,
    *,
    spot_moves: Any = 0.0,
    vol_moves: Any = 0.0,
    out: Out = None,
    threads: int = 1,
) -> FloatArray: ...
