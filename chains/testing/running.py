"""Nodes that outlive the command that started them: a state file says which, and they are ended by process id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chains.testing.errors import NodeMissing
from chains.testing.locate import nodes_folder
from chains.testing.processes import POLL, STOP_TIMEOUT

if TYPE_CHECKING:
    from chains.testing.anvil import Anvil
    from chains.testing.bitcoind import Bitcoind

STATE = "nodes.json"
CHAINS = ("bitcoin", "litecoin", "evm")


@dataclass(frozen=True, slots=True)
class Running:
    """A node in the background.

    url: RPC address with credentials. wallet: RPC address of a wallet with coins (UTXO chains only).
    chain_id: of an EVM node. born: when the process started, in the kernel's clock ticks since boot; with the
    process id it names one process for ever, even if the id is used again.
    """

    chain: str
    pid: int
    born: int
    port: int
    url: str
    folder: str
    log: str
    wallet: str | None = None
    chain_id: int | None = None

    @property
    def alive(self) -> bool:
        """Whether this very process runs."""
        return birth(self.pid) == self.born

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not end it in time; nothing if it has ended."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGCONT)
                    os.kill(self.pid, number)
            for _ in range(int(STOP_TIMEOUT / POLL)):
                if not self.alive:
                    return
                await asyncio.sleep(POLL)


def birth(pid: int) -> int | None:
    """When a process started (field 22 of proc(5) stat); None if it does not run."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def default_folder() -> Path:
    """Where the state file and the data folders are unless the user says otherwise."""
    return nodes_folder() / "run"


def read(folder: Path) -> dict[str, Running]:
    """The nodes of the state file in `folder` that still run, by chain."""
    try:
        document = json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return {}
    nodes = {name: Running(**fields) for name, fields in document["nodes"].items()}
    return {name: node for name, node in nodes.items() if node.alive}


def write(folder: Path, nodes: Mapping[str, Running]) -> None:
    """Replace the state file in one step; only its owner may read it, for it holds passwords."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{STATE}.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"nodes": {name: asdict(node) for name, node in nodes.items()}}, indent=2))
    draft.replace(folder / STATE)


async def up(folder: Path, chains: Sequence[str] = CHAINS) -> tuple[dict[str, Running], dict[str, str]]:
    """Start the nodes that don't run yet; returns all that run and, by chain, why one can't be had."""
    nodes, missing = read(folder), {}
    for chain in chains:
        if chain in nodes:
            continue
        try:
            nodes[chain] = await _start(chain, folder / chain)
        except NodeMissing as error:
            missing[chain] = str(error)
        write(folder, nodes)
    return nodes, missing


async def down(folder: Path, chains: Sequence[str] = CHAINS) -> list[str]:
    """End the nodes of the state file, and no others; returns the chains whose node was ended."""
    nodes = read(folder)
    ended = [chain for chain in chains if chain in nodes]
    for chain in ended:
        await nodes.pop(chain).stop()
        write(folder, nodes)
    return ended


async def _start(chain: str, folder: Path) -> Running:
    from chains.testing.anvil import Anvil
    from chains.testing.bitcoind import Bitcoind

    node: Anvil | Bitcoind = Anvil(folder=folder) if chain == "evm" else Bitcoind(chain, folder=folder)
    node.detached = True
    await node.start()
    return _describe(chain, node)


def _describe(chain: str, node: Anvil | Bitcoind) -> Running:
    from chains.testing.bitcoind import Bitcoind

    pid = node.pid or 0
    return Running(
        chain=chain,
        pid=pid,
        born=birth(pid) or 0,
        port=node.port,
        url=node.url,
        folder=str(node.folder),
        log=str(node.log),
        wallet=node.wallet_url if isinstance(node, Bitcoind) else None,
        chain_id=None if isinstance(node, Bitcoind) else node.chain_id,
    )
