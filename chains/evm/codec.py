"""Words, addresses and hashes as EVM chains write them. Pure, and light to import (no web3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from Crypto.Hash import keccak

from chains.errors import BadKey
from chains.legs import NATIVE

if TYPE_CHECKING:
    import coincurve

WORD = 32
KEPT = 4096  # addresses remembered with their checksums, each of which is a hash
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it (not NIST's SHA3-256)."""
    return keccak.new(digest_bits=256, data=data).digest()


def checksum_address(raw: bytes) -> str:
    """The 20 bytes as text with the checksum of EIP-55 in the case of its letters."""
    digits = raw.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(mark, 16) > 7 else d for d, mark in zip(digits, marks, strict=False))


def public_address(public: coincurve.PublicKey) -> str:
    """The account of a public key."""
    return checksum_address(keccak256(public.format(compressed=False)[1:])[12:])


@lru_cache(KEPT)
def address_bytes(text: str) -> bytes:
    """The 20 bytes of an address. All one case is taken as is, mixed case must keep EIP-55. Raises BadKey."""
    if not _ADDRESS.fullmatch(text):
        raise BadKey(text, "an address is 0x and 40 hexadecimal digits")
    raw = bytes.fromhex(text[2:])
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and text != checksum_address(raw):
        raise BadKey(text, "its checksum (EIP-55) is wrong")
    return raw


def asset_bytes(asset: str) -> bytes:
    """The 20 bytes that stand for an asset: the token's address, zero for native coin. Raises BadKey."""
    return bytes(20) if asset == NATIVE else address_bytes(asset)


def asset_name(raw: bytes) -> str:
    """The other way."""
    return checksum_address(raw) if any(raw) else NATIVE


def word(value: int | bytes) -> bytes:
    """One 32-byte word: an unsigned integer, or at most 32 bytes aligned like one."""
    return value.to_bytes(WORD, "big") if isinstance(value, int) else value.rjust(WORD, b"\0")


def words(data: bytes) -> list[bytes]:
    return [data[start : start + WORD] for start in range(0, len(data), WORD)]


def array(items: Iterable[bytes]) -> bytes:
    """A dynamic array of words in the ABI: length, then the words."""
    listed = list(items)
    return word(len(listed)) + b"".join(listed)


def selector(signature: str) -> bytes:
    """First four bytes of a function's or error's hash, e.g. of "transfer(address,uint256)"."""
    return keccak256(signature.encode())[:4]


def raw_bytes(value: Any) -> bytes:
    """What JSON-RPC (0x text) or web3 (bytes) gives for binary data."""
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
