"""anvil, an EVM node for tests: the same verbs as the UTXO nodes have."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chains.testing.errors import NodeError, NodeRefused, NodeSilent
from chains.testing.locate import find
from chains.testing.processes import POLL, NodeProcess
from chains.testing.rpc import JsonRpc

# Rules of the EVM change what our contracts cost and whether they work: the fork is pinned (see DESIGN, vaults).
HARDFORK = "osaka"

# Two nodes of one chain id would accept each other's signatures, so each draws one, below 2**53 for JavaScript.
FIRST_CHAIN_ID = 31_337_000_000
CHAIN_IDS = 1_000_000_000

# What a full node keeps. anvil would keep thousands, each a copy of everything, and dumps them all at each stop.
STATES = 128
# anvil also dumps at intervals, and answers nothing meanwhile. We have it do so at the end.
NEVER = 100_000_000  # seconds

BALANCE = 1_000_000_000  # ether of each developer account
RECEIPT_TIMEOUT = 30.0  # seconds

Mining = Literal["auto", "manual"] | int


class Anvil(NodeProcess):
    """An anvil with a chain id of its own and ten rich accounts, which it signs for.

    mining: "auto" mines each transaction at once, "manual" mines when told, a number mines every so many
    seconds. folder: data folder; one of its own if None. states: of how many
    blocks it knows the state. Amounts are wei, times UNIX seconds.
    """

    def __init__(
        self,
        *,
        mining: Mining = "auto",
        chain_id: int | None = None,
        hardfork: str = HARDFORK,
        folder: Path | None = None,
        port: int | None = None,
        states: int = STATES,
        extra: Sequence[str] = (),
    ) -> None:
        self.program = find("anvil")
        self.mining = mining
        self.hardfork = hardfork
        self.states = states
        self.extra = tuple(extra)
        super().__init__("anvil", folder, port)
        self.chain_id = chain_id or self._remembered_chain_id() or FIRST_CHAIN_ID + secrets.randbelow(CHAIN_IDS)

    # --- the process

    @property
    def url(self) -> str:
        """The RPC address (HTTP)."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The RPC address (WebSocket)."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def accounts(self) -> dict[str, str]:
        """The rich accounts: lower-case address to private key, both in hexadecimal."""
        config = json.loads((self.folder / "accounts.json").read_text())
        return dict(zip(config["available_accounts"], config["private_keys"], strict=True))

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def command(self) -> Sequence[str]:
        """See `NodeProcess`."""
        modes = {"auto": (), "manual": ("--no-mining",)}
        mining = modes[self.mining] if isinstance(self.mining, str) else ("--block-time", str(self.mining))
        options = {
            "--host": "127.0.0.1",
            "--port": self.port,
            "--chain-id": self.chain_id,
            "--hardfork": self.hardfork,
            "--balance": BALANCE,
            "--config-out": self.folder / "accounts.json",
            "--cache-path": self.folder / "cache",
            "--state": self._state,
            "--state-interval": NEVER,
            "--prune-history": self.states,
        }
        words = [str(word) for option in options.items() for word in option]
        return [str(self.program), *words, "--preserve-historical-states", *mining, *self.extra]

    async def prepare(self) -> None:
        """Remember the chain id, and remove the accounts file, which anvil refuses to overwrite."""
        (self.folder / "chain-id").write_text(str(self.chain_id))
        (self.folder / "accounts.json").unlink(missing_ok=True)

    async def ready(self) -> bool:
        """Whether the node answers with its chain id."""
        try:
            found = await JsonRpc(self.name, self.url).call("eth_chainId", within=2)
        except NodeError:
            return False
        return int(found, 16) == self.chain_id

    async def start(self) -> None:
        """Start the node. A chain that is ahead of the real clock goes on from where it was."""
        await super().start()
        if await self.clock() > time.time():
            await self.set_time(None)

    async def kill(self) -> None:
        """End the process at once. Its chain is saved first, as other nodes have theirs on disk."""
        self.resume()
        await self._save()
        await super().kill()

    async def _save(self) -> None:
        if self.pid is None:
            return
        try:
            dump = await self.rpc("anvil_dumpState", True, within=10)
        except NodeError:
            return  # it was not answering: there is nothing to be had from it
        self._state.write_bytes(gzip.decompress(bytes.fromhex(dump.removeprefix("0x"))))

    # --- calls

    async def rpc(self, method: str, *params: Any, within: float = 60.0) -> Any:
        """Call the node; raises `NodeRefused`, `NodeSilent` or `NodeFailed`."""
        return await self.ask(self.url, method, *params, within=within)

    async def height(self) -> int:
        """Number of the best block."""
        return int(await self.rpc("eth_blockNumber"), 16)

    async def clock(self) -> int:
        """Timestamp of the best block: the clock that timelocks are compared with."""
        return int((await self.rpc("eth_getBlockByNumber", "latest", False))["timestamp"], 16)

    async def balance(self, address: str) -> int:
        """Wei at an address."""
        return int(await self.rpc("eth_getBalance", address, "latest"), 16)

    async def receipt(self, txid: str, within: float = RECEIPT_TIMEOUT) -> Mapping[str, Any]:
        """The receipt of a transaction, once it is mined."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if found := await self.rpc("eth_getTransactionReceipt", txid):
                return dict(found)
            await asyncio.sleep(POLL)
        raise NodeSilent(self.name, "eth_getTransactionReceipt", f"{txid} was not mined in {within:.0f} s")

    # --- verbs

    async def mine(self, blocks: int = 1, to: str | None = None) -> list[str]:
        """Mine blocks, paying fees to `to` if given; returns their hashes."""
        if to is not None:
            await self.rpc("anvil_setCoinbase", to)
        before = await self.height()
        await self.rpc("anvil_mine", hex(blocks))
        numbers = range(before + 1, before + blocks + 1)
        return [(await self.rpc("eth_getBlockByNumber", hex(n), False))["hash"] for n in numbers]

    async def send(self, address: str, amount: int) -> str:
        """Pay `amount` wei to `address` from the first account; returns the transaction hash."""
        return await self._transact({"to": address, "value": hex(amount)})

    async def fund(self, address: str, amount: int) -> str:
        """Pay and see it mined; returns the transaction hash."""
        txid = await self.send(address, amount)
        await self._mined(txid)
        return txid

    async def deploy(self, artifact: Path | Mapping[str, Any], *args: Any) -> str:
        """Deploy a compiled contract from the first account; returns its address.

        artifact: JSON of solc or forge with `abi` and `bytecode` (text, or an object with `object`), or a file
        of that. args: of its constructor, as eth_abi takes them.
        """
        data = _creation(artifact, args)
        txid = await self._transact({"data": data})
        receipt = await self._mined(txid)
        if int(receipt["status"], 16) != 1:
            raise NodeRefused(self.name, "deploy", 0, f"the constructor reverted in {txid}")
        return str(receipt["contractAddress"])

    async def reorg(self, depth: int, moment: int | None = None) -> list[str]:
        """Replace the last `depth` blocks by as many empty ones; returns the hashes of those replaced. moment: the
        time after that, for a clock that is not the real one.

        Transactions of the replaced blocks are back in the pool, as far as they are still valid; with
        automatic mining they are mined again at once, on top.
        """
        height, before = await self.height(), await self.clock()
        blocks = [await self.rpc("eth_getBlockByNumber", hex(height - n), False) for n in range(depth)]
        txids = [txid for block in reversed(blocks) for txid in block["transactions"]]
        raw = [await self.rpc("eth_getRawTransactionByHash", txid) for txid in txids]
        # Another miner: an empty block of the same time would else be the very block it replaces.
        await self.rpc("anvil_setCoinbase", "0x" + secrets.token_hex(20))
        await self.rpc("anvil_reorg", depth, [])
        # anvil's clock has gone back to the last block in common, however old; the world's has not.
        await self.rpc("anvil_setTime", max(int(time.time()) if moment is None else moment, before))
        for transaction in raw:
            await self._resend(transaction)
        return [block["hash"] for block in blocks]

    async def set_time(self, moment: int | None) -> None:
        """Set the time of the next block; later ones follow the real clock's pace. None returns to the real clock.

        Mines nothing. Time never runs backwards: anvil refuses a time before its last block's.
        """
        if moment is None:
            await self.rpc("anvil_setTime", max(int(time.time()), await self.clock() + 1))
        else:
            await self.rpc("evm_setNextBlockTimestamp", moment)

    async def advance_to(self, moment: int) -> None:
        """Mine a block whose timestamp is `moment`, unless the chain's clock is there already."""
        if await self.clock() < moment:
            await self.set_time(moment)
            await self.mine()

    # --- inside

    def _remembered_chain_id(self) -> int | None:
        """The chain id that a folder used before was started with: signatures and contracts name it."""
        path = self.folder / "chain-id"
        return int(path.read_text()) if path.exists() else None

    async def _transact(self, fields: Mapping[str, str]) -> str:
        """Send a transaction from the first account, which anvil signs for."""
        sender = next(iter(self.accounts))
        return str(await self.rpc("eth_sendTransaction", {"from": sender, **fields}))

    async def _mined(self, txid: str) -> Mapping[str, Any]:
        if self.mining == "manual":
            await self.mine()
        return await self.receipt(txid)

    async def _resend(self, raw: str) -> None:
        with contextlib.suppress(NodeRefused):  # it may no longer be valid on the new branch
            await self.rpc("eth_sendRawTransaction", raw)


def _creation(artifact: Path | Mapping[str, Any], args: Sequence[Any]) -> str:
    """Creation code of a compiled contract with its constructor's arguments, in hexadecimal."""
    compiled = json.loads(artifact.read_text()) if isinstance(artifact, Path) else artifact
    code = compiled["bytecode"]
    text = code if isinstance(code, str) else code["object"]
    return "0x" + str(text).removeprefix("0x") + _constructor(compiled["abi"], args).hex()


def _constructor(abi: Sequence[Mapping[str, Any]], args: Sequence[Any]) -> bytes:
    """The ABI encoding of constructor arguments."""
    constructors = [item for item in abi if item["type"] == "constructor"]
    inputs: Sequence[Mapping[str, Any]] = constructors[0]["inputs"] if constructors else []
    if len(inputs) != len(args):
        raise ValueError(f"the constructor takes {len(inputs)} arguments, {len(args)} given")
    if not inputs:
        return b""
    from eth_abi.abi import encode  # here, because loading the pytest plugin must stay cheap

    return encode([item["type"] for item in inputs], args)
