"""Short pauses for the collector of cyclic garbage.

With a thousand deals in memory a full collection takes a fifth of a second, in which nothing is answered and
nothing sent, and finds next to nothing: what a deal holds is let go of by reference counts. So nothing is
collected while a daemon starts, which makes little but what stays; what has lived for a while is set aside, which
costs nothing; and everything is gone through once an hour.
"""

from __future__ import annotations

import asyncio
import gc

START_SECONDS = 10.0  # after which a daemon has looked at its deals for the first time, unless something is down
ASIDE_SECONDS = 30.0  # what has lived so long is set aside
ROUNDS = 120  # until everything is gone through


def put_off() -> None:
    """Collect nothing from now on: a process starts, in which `keep_pauses_short` will run."""
    gc.disable()


async def keep_pauses_short() -> None:
    """For as long as the process lives."""
    put_off()
    try:
        await asyncio.sleep(START_SECONDS)
    finally:
        gc.enable()
    while True:
        for _ in range(ROUNDS):
            gc.freeze()
            await asyncio.sleep(ASIDE_SECONDS)
        gc.unfreeze()
        gc.collect()
