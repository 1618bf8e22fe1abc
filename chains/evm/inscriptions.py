"""Bytes of ours in blocks: the call data of a transaction from our account to itself, which does nothing else.

They are found again by where the account's nonce has moved: by bisection as far as the node keeps old state, and
by reading every block where it does not.
"""

from __future__ import annotations

from typing import Any, Final

from chains.errors import RpcError
from chains.evm.client import Client

SLACK_SECONDS: Final = 120  # a block's time may be so far ahead of the clock


async def find(client: Client, account: str, since: int) -> tuple[bytes, ...]:
    """What the account inscribed in blocks from UNIX time `since` on, oldest first. Raises ChainUnavailable,
    RpcError."""
    top = int(await client.call("eth_blockNumber"), 16)
    first = await _height(client, since - SLACK_SECONDS, top)
    low = await _used(client, account, first - 1) if first else 0
    found: list[bytes] = []
    # ranges of blocks (after, last) with the nonces used at both ends, the oldest on top
    ranges = [(first - 1, low, top, await _used(client, account, top))]
    while ranges:
        after, before, last, used = ranges.pop()
        if after >= last or (before is not None and before == used):
            continue
        if last - after == 1:
            found += await _inscribed(client, account, last)
            continue
        middle = (after + last) // 2
        between = await _used(client, account, middle)
        ranges += [(middle, between, last, used), (after, before, middle, between)]
    return tuple(found)


async def _inscribed(client: Client, account: str, height: int) -> list[bytes]:
    """What the account inscribed in one block, by nonce."""
    block = await _block(client, height, whole=True)
    ours = (tx for tx in block["transactions"] if _is(tx.get("from"), account) and _is(tx.get("to"), account))
    data = ((int(tx["nonce"], 16), bytes.fromhex(tx["input"][2:])) for tx in ours)
    return [one for _, one in sorted(data) if one]


def _is(found: Any, account: str) -> bool:
    return str(found).lower() == account.lower()


async def _used(client: Client, account: str, height: int) -> int | None:
    """How many nonces the account had used after a block; None where the node does not know any more."""
    try:
        return int(await client.call("eth_getTransactionCount", account, hex(height)), 16)
    except RpcError:
        return None


async def _height(client: Client, since: int, top: int) -> int:
    """The first block not before `since`."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        if int((await _block(client, middle))["timestamp"], 16) < since:
            low = middle + 1
        else:
            high = middle
    return low


async def _block(client: Client, height: int, whole: bool = False) -> dict[str, Any]:
    block = await client.call("eth_getBlockByNumber", hex(height), whole)
    if block is None:
        raise RpcError(client.name, "eth_getBlockByNumber", 0, f"there is no block {height}")
    return dict(block)
