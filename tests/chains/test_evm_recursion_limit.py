"""An EVM client leaves Python's recursion limit alone, so deep JSON is an error and not a crash."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, json, sys
from chains.errors import ChainUnavailable
from chains.evm.client import Client

async def main():
    client = Client("evm", "http://127.0.0.1:9", timeout=0.2, patience=0.0)
    try:
        await client.open()
    except ChainUnavailable:
        pass
    assert "web3" not in sys.modules

before = sys.getrecursionlimit()
asyncio.run(main())
print(before == sys.getrecursionlimit())
try:
    json.loads("[" * 65_536)
except RecursionError:
    print("RecursionError")
"""


def test_nested_json_after_opening_an_evm_client():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True", "RecursionError"], done.stderr
