"""Short pauses for the collector of cyclic garbage.

With a thousand deals in memory a full collection takes a fifth of a second, in which nothing is answered and
nothing sent, and finds next to nothing: what a deal holds is let go of by reference counts. So what has lived for
a while is set aside, which costs nothing, and everything is gone through once an hour.
"""

from __future__ import annotations

import asyncio
import gc

ASIDE_SECONDS = 30.0  # what has lived so long is set aside
ROUNDS = 120  # until everything is gone through


async def keep_pauses_short() -> None:
    """For as long as the process lives."""
    while True:
        for _ in range(ROUNDS):
            await asyncio.sleep(ASIDE_SECONDS)
            gc.freeze()
        gc.unfreeze()
        gc.collect()
