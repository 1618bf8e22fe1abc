"""Balances of many addresses, native coin and tokens together, in one `eth_call` that needs no contract on chain.

The call "deploys" a few bytes of init code that read the balances and return them in place of a contract's code.
Nothing has to be trusted or found at an address for it, and it can be pinned to any block.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from chains.errors import RpcError
from chains.evm.client import Client
from chains.legs import NATIVE

CHUNK = 200  # addresses a call: with TOKEN_GAS each, hostile tokens stay within the 50,000,000 gas of one call
TOKEN_GAS = 200_000  # 0x030d40, for one balanceOf: a proxy takes a tenth, and no token can eat the others' gas

KEPT = 4096  # pairs remembered as words: all of them are asked for at every block

_WORD = 32
_FAILED = b"\xff" * _WORD

# Arguments: pairs of words (token or zero, holder), behind the code. Returns a zero word, so that no result looks
# like reserved code (EIP-3541), then a word per pair, all ones where the token did not answer.
# Memory: 0x00 scratch, 0x40 the zero word, 0x60 the pairs, overwritten from the front by the results.
_CODE = bytes.fromhex(
    "60673803"  # 00 n = CODESIZE - 0x67                      [n]
    "806067606039"  # 04 CODECOPY(0x60, 0x67, n)
    "606001"  # 0a end = n + 0x60                             [end]
    "606080"  # 0d out = in = 0x60                            [end, out, in]
    "5b"  # 10 loop:
    "82811015605e57"  # 11 in < end, else goto done
    "8060200151"  # 18 holder = MLOAD(in + 0x20)              [end, out, in, holder]
    "8151"  # 1d token = MLOAD(in)                            [.., holder, token]
    "80602857"  # 1f if token goto token
    "5031"  # 23 BALANCE(holder)                              [.., value]
    "605056"  # 25 goto store
    "5b"  # 28 token:                                         [.., holder, token]
    "6370a0823160e01b5f52"  # 29 MSTORE(0, selector of balanceOf)
    "90600452"  # 33 MSTORE(4, holder)                        [.., token]
    "60205f60245f84"  # 37 answer 0x20 at 0, call data 0x24 at 0, token
    "62030d40fa"  # 3e STATICCALL(200000, ..)                 [.., token, ok]
    "601f3d1116"  # 43 ok and RETURNDATASIZE > 0x1f           [.., token, good]
    "155f03"  # 48 mask = 0 - not good                        [.., token, mask]
    "5f5117"  # 4b MLOAD(0) or mask                           [.., token, value]
    "9050"  # 4e                                              [.., value]
    "5b"  # 50 store:
    "8252"  # 51 MSTORE(out, value)                           [end, out, in]
    "9060200190"  # 53 out += 0x20
    "604001"  # 58 in += 0x40
    "601056"  # 5b goto loop
    "5b"  # 5e done:
    "50604090036040f3"  # 5f RETURN(0x40, out - 0x40)
)


async def read_balances(client: Client, pairs: Sequence[tuple[str, str]], block: Any) -> list[int | None]:
    """What each (asset, holder) holds at `block` (a tag, a number in hex, or an EIP-1898 object). None where the
    token does not answer. Raises RpcError where the node does not serve that block's state."""
    results: list[int | None] = []
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        data = await client.call("eth_call", {"data": "0x" + (_CODE + _arguments(chunk)).hex()}, block)
        words = bytes.fromhex(data[2:])
        if len(words) != _WORD * (len(chunk) + 1):
            raise RpcError(client.name, "eth_call", 0, f"{len(words)} bytes of balances for {len(chunk)} accounts")
        results += _decode(words, len(chunk))
    return results


def _arguments(pairs: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(_pair(asset, holder) for asset, holder in pairs)


@lru_cache(KEPT)
def _pair(asset: str, holder: str) -> bytes:
    return _token(asset).rjust(_WORD, b"\0") + bytes.fromhex(holder[2:]).rjust(_WORD, b"\0")


def _token(asset: str) -> bytes:
    return b"" if asset == NATIVE else bytes.fromhex(asset[2:])


def _decode(data: bytes, count: int) -> list[int | None]:
    words = [data[_WORD * i : _WORD * (i + 1)] for i in range(1, count + 1)]
    return [None if word == _FAILED else int.from_bytes(word, "big") for word in words]
