"""Odd tokens for tests, compiled when they are needed."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import chains.evm
from tests.chains.evm_world import World, mint

COMPILER = Path(chains.evm.__file__).parent / "contracts" / "solc"

FEE_TOKEN = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A hundredth of every transfer is burned, and `transfer` returns nothing.
contract FeeToken {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function transfer(address to, uint256 value) external {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value - value / 100;
    }
}
"""


@cache
def compiled(source: str, name: str) -> dict[str, Any]:
    """ABI and creation code of a contract."""
    request = {
        "language": "Solidity",
        "sources": {"test.sol": {"content": source}},
        "settings": {"evmVersion": "cancun", "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}}},
    }
    done = subprocess.run(
        [COMPILER, "--standard-json"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert not [e for e in answer.get("errors", ()) if e["severity"] == "error"], answer["errors"]
    output = answer["contracts"]["test.sol"][name]
    return {"abi": output["abi"], "bytecode": output["evm"]["bytecode"]["object"]}


async def deploy_fee_token(here: World, holder: str, amount: int) -> str:
    """The token's address; `holder` has `amount` of it."""
    await here.node.rpc("evm_setAutomine", True)
    token = await here.node.deploy(compiled(FEE_TOKEN, "FeeToken"))
    await here.node.rpc("evm_setAutomine", False)
    await here.call(token, mint(holder, amount))
    return here.chain.asset(token)
