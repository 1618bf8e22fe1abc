"""strikelock, in a process that kills itself (SIGKILL) before or after one of the steps of a delivery or a vote.
`python dying_relayer.py before-stored relayer start --config FILE`."""

from __future__ import annotations

import os
import signal
import sys

from chains.evm.adapter import EvmChain
from relayer.cli.main import app
from settlement.store.messages import MessageBook

WHERE = sys.argv[1]
METHODS = {
    "stored": (MessageBook, "push"),
    "sent": (EvmChain, "broadcast"),
    "read": (MessageBook, "add"),
    "proved": (MessageBook, "prove"),
    "voted": (MessageBook, "vote"),
    "settled": (MessageBook, "put_progress"),
}
moment, _, name = WHERE.partition("-")
owner, attribute = METHODS[name]
method = getattr(owner, attribute)


async def dying(*args, **kwargs):
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = await method(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
    return result


setattr(owner, attribute, dying)
app(sys.argv[2:])
