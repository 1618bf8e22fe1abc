"""strikelock, in a process that stops itself (SIGSTOP) once: after it has signed its first transaction, and before
that is stored. `python stopping_before_commit.py run --config FILE`."""

from __future__ import annotations

import os
import signal
import sys

from relayer.cli.main import app
from settlement.store import Store

sign = Store.sign
stopped = []


async def stopping(self, *args, **kwargs):
    if not stopped:
        stopped.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)
    return await sign(self, *args, **kwargs)


Store.sign = stopping
app(sys.argv[1:])
