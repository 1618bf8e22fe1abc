"""Scenario grids in pure Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from options._arrays import as_floats, as_signs, paired_scenarios
from options.errors import KindError, ShapeError
from options.twin import european
from options.twin.broadcast import BOTH, given_outputs, kind_code

_NAMES = ("spot", "strike", "years", "vol", "rate", "dividend")


def scenario_grid(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    spot_moves: Any = 0.0, vol_moves: Any = 0.0, out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    code = kind_code(kind)
    if code == BOTH:
        raise KindError(kind)
    values = (spot, strike, years, vol, rate, dividend)
    arrays = [as_floats(n, v) for n, v in zip(_NAMES, values, strict=True)]
    arrays.append(as_signs(kind if code is None else float(code)))
    try:
        rows = np.broadcast_arrays(*map(np.atleast_1d, arrays))
    except ValueError:
        raise ShapeError("options must be one row", tuple(a.shape for a in arrays)) from None
    if rows[0].ndim != 1:
        raise ShapeError("options must be one row", tuple(a.shape for a in arrays))
    moves, shifts = paired_scenarios(spot_moves, vol_moves)
    factors = np.where(moves >= -1.0, 1.0 + moves, np.nan)  # a spot below nothing has no price
    shape = (len(factors), len(rows[0]))
    result = np.empty(shape) if out is None else given_outputs(out, 1, shape)[0]
    for i, (s, k, t, v, r, q, sign) in enumerate(zip(*(row.tolist() for row in rows), strict=True)):
        for m, (factor, shift) in enumerate(zip(factors.tolist(), shifts.tolist(), strict=True)):
            moved = max(v + shift, 0.0) if v >= 0.0 else v
            result[m, i] = european.point(european.SPOT, sign, s * factor, k, t, moved, r, q).price
    return result
