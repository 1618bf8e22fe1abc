"""The wallet's keys: BIP84 branches of the BIP39 seed, derived by bitcoinlib.

bitcoinlib copies files into a data folder, opens a log and puts its databases there as it is imported. It gets a
folder of its own, which is removed once the import is over: nothing of ours goes through any of that.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from chains.bitcoin.encoding import p2wpkh
from chains.bitcoin.keys import public_key

RECEIVE: Final = 0
CHANGE: Final = 1
_QUIET: Final = "[logs]\nenable_bitcoinlib_logging = False\nloglevel = CRITICAL\n"
_FOLDER: Final = "BCL_DATA_DIR"


@dataclass(frozen=True, slots=True)
class WalletKey:
    """One key of the wallet and the script that pays it."""

    branch: int
    index: int
    secret: bytes
    public: bytes
    script: bytes

    def __repr__(self) -> str:
        return f"WalletKey({self.branch}/{self.index})"


def wallet_keys(seed: bytes, coin_type: int, count: int) -> tuple[WalletKey, ...]:
    """The first `count` keys of both branches: m/84'/coin_type'/0'/branch/index (BIP44, BIP84)."""
    account = _library().from_seed(seed).key_for_path(f"m/84'/{coin_type}'/0'")
    keys = []
    for branch in (RECEIVE, CHANGE):
        parent = account.child_private(branch)
        for index in range(count):
            secret = parent.child_private(index).private_byte
            public = public_key(secret)
            keys.append(WalletKey(branch, index, secret, public, p2wpkh(public)))
    return tuple(keys)


@lru_cache(maxsize=1)
def _library() -> Any:
    """bitcoinlib's HDKey, imported on first use (it takes over a second)."""
    if "bitcoinlib" in sys.modules:
        from bitcoinlib.keys import HDKey

        return HDKey
    before = os.environ.get(_FOLDER)
    root = logging.getLogger()
    handlers = root.handlers[:]
    with tempfile.TemporaryDirectory(prefix="strikelock-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its database layer, which is not used
        Path(folder, "config.ini").write_text(_QUIET, encoding="utf-8")
        os.environ[_FOLDER] = folder
        try:
            from bitcoinlib.keys import HDKey
        finally:
            root.handlers[:] = handlers
            if before is None:
                del os.environ[_FOLDER]
            else:
                os.environ[_FOLDER] = before
    return HDKey
