"""strikelock, in a process that dies at its next step: `python dying.py commit|broadcast run --config FILE`.

commit: right after the next step is on disk, before anything else. broadcast: right after the next transaction
is with the node, before that is noticed. Death is SIGKILL: nothing is flushed, closed or said.
"""

from __future__ import annotations

import functools
import os
import signal
import sys

from chains.bitcoin.chain import UtxoChain
from chains.evm.adapter import EvmChain
from relayer.cli.main import app
from settlement.store import Store
from settlement.store.book import Book

WRITES = ("sign", "sign_together", "learn", "swear", "give_consent", "settle", "close")
STEPS = {
    "commit": [(Store, WRITES), (Book, ("add", "move"))],
    "broadcast": [(UtxoChain, ("broadcast",)), (EvmChain, ("broadcast",))],
}


def fatal(method):
    """The method, and then death."""

    @functools.wraps(method)
    async def dying(*args, **kwargs):
        await method(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return dying


def main() -> None:
    for owner, names in STEPS[sys.argv[1]]:
        for name in names:
            setattr(owner, name, fatal(getattr(owner, name)))
    app(sys.argv[2:])


main()
