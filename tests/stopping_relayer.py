"""strikelock, in a process that stops itself (SIGSTOP) once: after it has signed its first delivery, and before
that is stored. `python stopping_relayer.py relayer start --config FILE`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from relayer.cli.main import app
from settlement.store.messages import MessageBook

push = MessageBook.push
stopped = []


async def stopping(self, *args, **kwargs):
    if not stopped:
        stopped.append(True)
        while self._database._engine.sync_engine.pool.checkedout():  # noqa: ASYNC110 - a session in use would end
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGSTOP)
    return await push(self, *args, **kwargs)


MessageBook.push = stopping
app(sys.argv[1:])
