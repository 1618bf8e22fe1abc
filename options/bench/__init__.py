"""How fast and how exact the pricing core is on this machine, beside a C roofline and other libraries.

`measure()` returns everything as one dictionary of plain values, ready for JSON. Libraries that are not installed,
and the roofline where there is no C compiler or no source tree, are left out and named.
"""

from __future__ import annotations

import sys
from typing import Any

from options.bench.machine import describe
from options.bench.peers import measure_peers
from options.bench.roofline import measure_roofline
from options.bench.rows import ROWS, measure_row
from options.bench.timing import Effort

SEED = 20240229


def measure(names: list[str] | None = None, *, quick: bool = False, seed: int = SEED) -> dict[str, Any]:
    """Runs the named rows, or all. A quick run takes seconds and repeats less."""
    effort = Effort(runs=3 if quick else 15, options=100_000 if quick else 1_000_000)
    chosen = [row for row in ROWS if names is None or row.name in names]
    floor, why_no_floor = measure_roofline()
    rows = [measure_row(row, effort, seed, floor) for row in chosen]
    peers = measure_peers([row.name for row in chosen], effort, seed)
    for row in rows:
        found = peers.get(row["name"], {})
        row["peers"] = {
            k: {"value": v, "ratio": v / row["value"]} for k, v in found.items() if isinstance(v, float)
        }
        row["peers_missing"] = {k: v for k, v in found.items() if not isinstance(v, float)}
    return {
        "command": " ".join(sys.argv),
        "seed": seed,
        "machine": describe(),
        "roofline_missing": why_no_floor,
        "clock": "processor time of the thread; wall time where several threads work",
        "rows": rows,
    }


__all__ = ["ROWS", "SEED", "measure"]
