"""Bytes on the wire: compact sizes, script pushes, Bech32 (BIP173), hashes."""

from __future__ import annotations

import hashlib
from functools import lru_cache, reduce
from operator import xor

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # of five bits each
KEPT = 8192  # addresses remembered: those of open deals are asked for again and again

TXID_BYTES = 32
OUTPOINT_BYTES = 36  # txid in internal byte order, then the output's index


def carried(generator: tuple[int, ...]) -> tuple[int, ...]:
    """What five bits that leave a checksum of this generator at the top do to the rest of it, by those bits."""
    return tuple(
        reduce(xor, (term for bit, term in enumerate(generator) if top >> bit & 1), 0) for top in range(32)
    )


_CARRIED = carried((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data))


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return hashlib.new("ripemd160", sha256(data)).digest()


def compact_size(value: int) -> bytes:
    """A count or length as transactions write it."""
    if value < 0xFD:
        return bytes((value,))
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def var_bytes(data: bytes) -> bytes:
    """A length and the bytes."""
    return compact_size(len(data)) + data


def outpoint(text: str) -> bytes:
    """The 36 bytes of "txid:vout"."""
    txid, _, index = text.partition(":")
    return bytes.fromhex(txid)[::-1] + int(index).to_bytes(4, "little")


def outpoint_text(data: bytes) -> str:
    """ "txid:vout" of 36 bytes."""
    return f"{data[:TXID_BYTES][::-1].hex()}:{int.from_bytes(data[TXID_BYTES:], 'little')}"


# --- scripts ---------------------------------------------------------------------------------------------


def push(data: bytes) -> bytes:
    """The push of 2 to 75 bytes (shorter data has opcodes of its own, see `script_number`)."""
    if not 1 < len(data) <= 75:
        raise ValueError(f"no direct push of {len(data)} bytes")
    return bytes((len(data),)) + data


def script_number(value: int) -> bytes:
    """The minimal push of a number above 16, little-endian with a sign bit (BIP62)."""
    if value <= 16:
        raise ValueError("small numbers have opcodes")
    return var_bytes(value.to_bytes(value.bit_length() // 8 + 1, "little"))


def p2wsh(script: bytes) -> bytes:
    """Output script of a witness script (BIP141)."""
    return b"\x00\x20" + sha256(script)


def p2wpkh(public: bytes) -> bytes:
    """Output script of a compressed public key (BIP141)."""
    return b"\x00\x14" + hash160(public)


# --- addresses -------------------------------------------------------------------------------------------


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _CARRIED[check >> 25]
    return check


def _five_bits(data: bytes) -> list[int]:
    """The bytes in groups of five bits, zero-padded at the end."""
    bits = len(data) * 8
    padding = -bits % 5
    value = int.from_bytes(data, "big") << padding
    return [value >> shift & 31 for shift in range(bits + padding - 5, -1, -5)]


@lru_cache(KEPT)
def segwit_address(hrp: str, script: bytes) -> str:
    """Bech32 address of a version 0 output script (BIP173)."""
    if script[0] != 0 or script[1] != len(script) - 2:
        raise ValueError("not a version 0 witness program")
    words = [0, *_five_bits(script[2:])]
    expanded = [ord(char) >> 5 for char in hrp] + [0] + [ord(char) & 31 for char in hrp]
    check = _polymod(expanded + words + [0] * 6) ^ 1
    words += [check >> 5 * (5 - index) & 31 for index in range(6)]
    return hrp + "1" + "".join(CHARSET[word] for word in words)
