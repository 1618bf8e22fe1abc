"""Play money and blocks on the nodes of `strikelock nodes up`, and configurations of parties on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.evm.deploy import deploy_factory, deploy_token, mint
from chains.testing.bitcoind import from_satoshi
from chains.testing.rpc import JsonRpc
from chains.testing.running import Running, read
from relayer.errors import BadRequest
from relayer.testing.world import RICH_SATOSHIS, RICH_TOKENS, RICH_WEI

PLAYGROUND = "playground.json"
DEMO_OUTAGE = 60  # seconds; real parties allow for much longer ones


async def configuration(folder: Path, party: Path, listen: str, database: str = "") -> dict[str, Any]:
    """A party's configuration for the nodes that run in `folder`; the contracts are deployed if they are not there
    yet. database: its URL, where it is not a file of the party's. Raises BadRequest where no node runs."""
    nodes = _nodes(folder)
    chains = {name: await _section(folder, node) for name, node in nodes.items()}
    return {
        "party": {"folder": str(party), **({"database": database} if database else {})},
        "peer": {"listen": listen, "accept": "ask"},
        "risk": {"outage": DEMO_OUTAGE},
        "chains": chains,
    }


async def _section(folder: Path, node: Running) -> dict[str, Any]:
    if node.chain != "evm":
        return {"family": "bitcoin", "coin": node.chain, "network": "regtest", "url": node.url}
    contracts = await _contracts(folder, node)
    return {
        "family": "evm",
        "chain_id": node.chain_id,
        "url": node.url,
        "factory": contracts["factory"],
        "preset": "local",
        "tokens": {"TEST": contracts["token"]},
    }


async def _contracts(folder: Path, node: Running) -> dict[str, str]:
    """The factory and the test token of an EVM node, deployed once for each chain id."""
    file = folder / PLAYGROUND
    known: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.exists() else {}
    name = str(node.chain_id)
    if name not in known:
        factory = await deploy_factory(node.url, _secret(node))
        token = await deploy_token(node.url, _secret(node), "Test Dollar", "TEST", 6)
        known[name] = {"factory": factory.address, "token": token.address}
        file.write_text(json.dumps(known, indent=2))
    return known[name]


async def fund(folder: Path, addresses: Mapping[str, str]) -> dict[str, int]:
    """Pay a party's wallets, by chain, and mine it; what was paid by "chain/asset"."""
    paid: dict[str, int] = {}
    for name, node in _nodes(folder).items():
        if name not in addresses:
            continue
        if node.chain == "evm":
            token = (await _contracts(folder, node))["token"]
            await _call(
                node,
                "eth_sendTransaction",
                {"from": _account(node), "to": addresses[name], "value": hex(RICH_WEI)},
            )
            await mint(node.url, _secret(node), token, addresses[name], RICH_TOKENS)
            paid |= {f"{name}/native": RICH_WEI, f"{name}/TEST": RICH_TOKENS}
        else:
            await JsonRpc(name, node.wallet or "").call(
                "sendtoaddress", addresses[name], from_satoshi(RICH_SATOSHIS)
            )
            paid[f"{name}/native"] = RICH_SATOSHIS
    await mine(folder)
    return paid


async def mine(folder: Path, blocks: int = 1) -> dict[str, int]:
    """Mine on every node that runs; the heights after it."""
    heights = {}
    for name, node in _nodes(folder).items():
        if node.chain == "evm":
            await _call(node, "anvil_mine", hex(blocks))
            heights[name] = int(await _call(node, "eth_blockNumber"), 16)
        else:
            address = await JsonRpc(name, node.wallet or "").call("getnewaddress", "", "bech32")
            await _call(node, "generatetoaddress", blocks, address)
            heights[name] = int(await _call(node, "getblockcount"))
    return heights


def _nodes(folder: Path) -> dict[str, Running]:
    nodes = read(folder)
    if not nodes:
        raise BadRequest(f"no node runs in {folder}; start some with `strikelock nodes up`")
    return nodes


async def _call(node: Running, method: str, *params: Any) -> Any:
    return await JsonRpc(node.chain, node.url).call(method, *params)


def _accounts(node: Running) -> dict[str, str]:
    document = json.loads((Path(node.folder) / "accounts.json").read_text())
    return dict(zip(document["available_accounts"], document["private_keys"], strict=True))


def _account(node: Running) -> str:
    return next(iter(_accounts(node)))


def _secret(node: Running) -> bytes:
    return bytes.fromhex(_accounts(node)[_account(node)][2:])
