"""bitcoind and litecoind on regtest: mining, time travel, reorganisations, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from chains.testing.errors import NodeError, NodeSilent
from chains.testing.locate import find, nodes_folder
from chains.testing.processes import POLL, NodeProcess
from chains.testing.rpc import JsonRpc
from chains.testing.utxo import PARAMS, UtxoParams, configuration

SATOSHI = 100_000_000  # per coin
MINER = "miner"  # the wallet that blocks pay to
USER = "strikelock"

# Median time past is the middle of the last 11 blocks' times: 6 blocks of one time make it that time (BIP113).
MEDIAN_MAJORITY = 6
MEDIAN_SPAN = 11

CACHE_LAYOUT = "2"  # raise it when the cached chains below are made in another way
CACHE_AGE = 86_400  # seconds that a cached chain lies in the past, so that no block of it is ahead of a clock
BATCH = 200  # blocks mined by one call
LOCK_TIMEOUT = 120.0  # seconds that one waits for another to mine a cached chain, before doing so itself
WALLET_BLOCKS = 300  # later ones pay next to nothing, and a large wallet is a slow one


class Bitcoind(NodeProcess):
    """A bitcoind or litecoind on regtest with a mined chain, a funded wallet and its clock at the present.

    params: "bitcoin" or "litecoin". folder: data folder; one of its own if None. extra: further lines of the
    configuration file. Amounts are satoshis (or litoshis), times UNIX seconds.
    """

    def __init__(
        self,
        params: str | UtxoParams = "bitcoin",
        *,
        folder: Path | None = None,
        port: int | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        self.params = PARAMS[params] if isinstance(params, str) else params
        self.program = find(self.params.program)
        self.extra = tuple(extra)
        self.mocktime: int | None = None
        self._password = secrets.token_hex(16)
        self._use_cache = True
        super().__init__(self.params.program, folder, port)

    # --- the process

    @property
    def url(self) -> str:
        """The RPC address with credentials."""
        return f"http://{USER}:{self._password}@127.0.0.1:{self.port}"

    @property
    def wallet_url(self) -> str:
        """The RPC address of the miner's wallet."""
        return f"{self.url}/wallet/{MINER}"

    def command(self) -> Sequence[str]:
        """See `NodeProcess`."""
        clock = [f"-mocktime={self.mocktime}"] if self.mocktime is not None else []
        return [str(self.program), f"-datadir={self.folder}", f"-conf={self._conf}", *clock]

    async def prepare(self) -> None:
        """Write the configuration; a new folder starts with the cached chain."""
        if self._use_cache and not (self.folder / "regtest").exists():
            shutil.copytree(await mined_chain(self.params, self.program), self.folder, dirs_exist_ok=True)
        wallet = (f"wallet={MINER}",) if (self.folder / "regtest" / "wallets" / MINER).exists() else ()
        text = configuration(
            self.params,
            port=self.port,
            user=USER,
            password=self._password,
            extra=(*wallet, *self.extra),
        )
        self._conf.touch(mode=0o600)
        self._conf.write_text(text)

    async def ready(self) -> bool:
        """Whether the node answers and has its wallet."""
        try:
            await JsonRpc(self.name, self.url).call("getblockchaininfo", within=2)
        except NodeError:
            return False
        return True

    async def start(self) -> None:
        """Start the node. A chain that lags behind the real clock is brought up to it by a few blocks."""
        await super().start()
        if self._use_cache and self.mocktime is None and await self.clock() < time.time() - 60:
            await self.mine(MEDIAN_MAJORITY)

    @property
    def _conf(self) -> Path:
        return self.folder / f"{self.params.name}.conf"

    # --- calls

    async def rpc(self, method: str, *params: Any, within: float = 60.0) -> Any:
        """Call the node; raises `NodeRefused`, `NodeSilent` or `NodeFailed`."""
        return await self.ask(self.url, method, *params, within=within)

    async def wallet(self, method: str, *params: Any, within: float = 60.0) -> Any:
        """Call the miner's wallet."""
        return await self.ask(self.wallet_url, method, *params, within=within)

    async def height(self) -> int:
        """Height of the best block."""
        return int(await self.rpc("getblockcount"))

    async def clock(self) -> int:
        """Median time past of the best block: the clock that timelocks are compared with (strictly less)."""
        return int((await self.rpc("getblockchaininfo"))["mediantime"])

    async def balance(self, address: str) -> int:
        """Confirmed unspent satoshis at an address."""
        found = await self.rpc("scantxoutset", "start", [f"addr({address})"])
        return to_satoshi(found["total_amount"])

    async def flush(self) -> None:
        """Write the chain state to disk. What was not written is mined again or lost after a `kill`."""
        await self.rpc("gettxoutsetinfo")

    # --- verbs

    async def mine(self, blocks: int = 1, to: str | None = None) -> list[str]:
        """Mine blocks with what the mempool holds, to the miner or `to`; returns their hashes."""
        address = to or await self.wallet("getnewaddress", "", "bech32")
        hashes: list[str] = []
        while len(hashes) < blocks:
            hashes += await self.rpc("generatetoaddress", min(BATCH, blocks - len(hashes)), address)
        return hashes

    async def mine_empty(self, blocks: int = 1) -> list[str]:
        """Mine blocks that leave the mempool alone."""
        address = await self.wallet("getnewaddress", "", "bech32")
        return [(await self.rpc("generateblock", address, []))["hash"] for _ in range(blocks)]

    async def send(self, address: str, amount: int) -> str:
        """Pay `amount` satoshis to `address` from the miner, unconfirmed; returns the transaction id."""
        return str(await self.wallet("sendtoaddress", address, from_satoshi(amount)))

    async def fund(self, address: str, amount: int) -> str:
        """Pay and mine one block; returns the transaction id."""
        txid = await self.send(address, amount)
        await self.mine()
        return txid

    async def reorg(self, depth: int) -> list[str]:
        """Replace the last `depth` blocks by `depth` + 1 empty ones; returns the hashes of those replaced.

        Transactions of the replaced blocks are back in the mempool, as far as they are still valid.
        """
        height = await self.height()
        gone = [await self.rpc("getblockhash", height - step) for step in range(depth)]
        await self.rpc("invalidateblock", gone[-1])
        await self.mine_empty(depth + 1)
        return gone

    async def set_time(self, moment: int | None) -> None:
        """Set the node's clock, which then stands still; None returns to the real clock. Mines nothing."""
        self.mocktime = moment
        await self.rpc("setmocktime", moment or 0)

    async def advance_to(self, moment: int) -> None:
        """Set the clock and mine until median time past is at least `moment`."""
        await self.set_time(moment)
        for _ in range(MEDIAN_SPAN):
            if await self.clock() >= moment:
                return
            await self.mine()
        raise NodeSilent(self.name, "setmocktime", f"median time past did not reach {moment}")


def to_satoshi(coins: Decimal | int | str) -> int:
    """Coins as the node prints them, in satoshis; exact."""
    amount = Decimal(coins) * SATOSHI
    if amount != int(amount):
        raise ValueError(f"{coins} is not a whole number of satoshis")
    return int(amount)


def from_satoshi(amount: int) -> str:
    """Satoshis in coins, as the node reads them; exact."""
    return f"{amount // SATOSHI}.{amount % SATOSHI:08d}"


# --- the cached chain ------------------------------------------------------------------------------------


async def mined_chain(params: UtxoParams, program: Path) -> Path:
    """A data folder with `params.blocks` mined blocks; made once for each version of the program."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30)  # noqa: ASYNC221
    key = "\n".join((CACHE_LAYOUT, done.stdout.splitlines()[0], *params.settings, str(params.blocks)))
    cache = nodes_folder() / "cache"
    folder = cache / f"{params.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    async with _lock(cache / f"{folder.name}.lock"):
        if not folder.exists():
            await _mine_chain(params, folder)
    return folder


async def _mine_chain(params: UtxoParams, folder: Path) -> None:
    """Mine into a folder beside `folder`, and move it there when it is whole."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    node = Bitcoind(params, folder=draft)
    node._use_cache = False
    node.mocktime = int(time.time()) - CACHE_AGE
    async with node:
        await node.rpc("createwallet", MINER)
        await node.mine(min(WALLET_BLOCKS, params.blocks))
        for start in range(WALLET_BLOCKS, params.blocks, BATCH):
            await node.rpc("generatetodescriptor", min(BATCH, params.blocks - start), "raw(51)")
    for name in (node.log.name, f"{params.name}.conf", "regtest/.lock", ".lock"):
        (draft / name).unlink(missing_ok=True)
    draft.rename(folder)


@asynccontextmanager
async def _lock(path: Path) -> AsyncIterator[None]:
    """Held by one task of one process at a time: two must not mine the same chain. Waiting blocks no loop."""
    with path.open("w") as file:
        for _ in range(int(LOCK_TIMEOUT / POLL)):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(POLL)
        yield
