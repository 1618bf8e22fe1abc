"""strikelock, in a process that stops itself (SIGSTOP) once, in the midst of showing a secret: after it has
decided to, and before anything of it is signed. `python stopping.py run --config FILE`."""

from __future__ import annotations

import os
import signal
import sys

from chains.bitcoin.wallet import UtxoWallet
from chains.evm.wallet import EvmWallet
from relayer.cli.main import app

stopped = []


def stopping(method):
    """The method; before its first reveal, the process stops until it is told to go on."""

    async def spend(*args, **kwargs):
        if kwargs.get("idle") and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        return await method(*args, **kwargs)

    return spend


for wallet in (UtxoWallet, EvmWallet):
    wallet.spend = stopping(wallet.spend)
app(sys.argv[1:])
