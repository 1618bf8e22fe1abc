"""Documents as few bytes: the part of CBOR (RFC 8949) that they need, deflated with a dictionary of their words.

What comes out is what went in, to the letter. Text that is lower-case hex is kept as the bytes it stands for, and
an address in mixed case (EIP-55) as its 20 bytes, since its case follows from them.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, Final, TypeAlias

from chains.evm.codec import checksum_address

Plain: TypeAlias = "int | str | list[Plain] | dict[str, Plain]"

# Words of documents, the likeliest last (RFC 1951 finds near ones with fewer bits). Part of the form: whoever
# changes a letter of it can't read what was written before.
WORDS: Final = (
    b"litecoinevm2ethereumattestedbondedmarginhedgedkindputreleasesnooptionwriterholderswapinitiatorparticipant"
    b"strike.exercisestrike.refundstrike.releasepremium.refundpremium.activatecollateral.exercisecollateral.refund"
    b"collateral.releasex.claimx.refundy.claimy.refundexpirypremiumcollateralstrikeidentitynoncehasheskeys"
    b"kindcallreleasesyesnativebitcoinevm"
)
MAX_UNPACKED: Final = 65_536  # bytes
MAX_DEPTH: Final = 8

_HEX = re.compile(r"(?:[0-9a-f]{2}){4,}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_UINT, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = range(7)  # major types
_BIG, _EIP55 = 2, 55  # tags: a large number (RFC 8949, section 3.4.3), and one of our own
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


class Malformed(ValueError):
    """Bytes that `pack` did not write."""


def pack(document: Plain) -> bytes:
    """The bytes of a document of numbers, text, lists and maps with text for keys."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=WORDS)
    return squeeze.compress(_write(document)) + squeeze.flush()


def unpack(packed: bytes) -> Any:
    """The document of `pack`. Raises Malformed."""
    try:
        stretch = zlib.decompressobj(-zlib.MAX_WBITS, zdict=WORDS)
        raw = stretch.decompress(packed, MAX_UNPACKED)
    except zlib.error as error:
        raise Malformed(str(error)) from error
    if not stretch.eof or stretch.unused_data:
        raise Malformed("it is cut short, too long, or something follows")
    reader = _Reader(raw)
    document = reader.read(MAX_DEPTH)
    if reader.at != len(raw):
        raise Malformed("something follows the document")
    return document


# --- writing ---------------------------------------------------------------------------------------------


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes([major << 5 | value])
    for mark, width in _WIDTHS.items():
        if value < 1 << 8 * width:
            return bytes([major << 5 | mark]) + value.to_bytes(width, "big")
    raise ValueError(f"{value} does not fit into 64 bits")


def _write(value: Plain) -> bytes:
    match value:
        case int() if value >= 1 << 64:
            raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return _head(_TAG, _BIG) + _head(_BYTES, len(raw)) + raw
        case int():
            return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case str():
            return _write_text(value)
        case list():
            return _head(_LIST, len(value)) + b"".join(map(_write, value))
        case dict():
            pairs = (_write_text(name) + _write(one) for name, one in value.items())
            return _head(_MAP, len(value)) + b"".join(pairs)


def _write_text(text: str) -> bytes:
    if _HEX.fullmatch(text):
        raw = bytes.fromhex(text)
        return _head(_BYTES, len(raw)) + raw
    if _ADDRESS.fullmatch(text) and checksum_address(raw := bytes.fromhex(text[2:])) == text:
        return _head(_TAG, _EIP55) + _head(_BYTES, len(raw)) + raw
    raw = text.encode()
    return _head(_TEXT, len(raw)) + raw


# --- reading ---------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def read(self, depth: int) -> Plain:
        if not depth:
            raise Malformed("it is nested too deeply")
        major, value = self._head()
        match major:
            case 0:
                return value
            case 1:
                return -1 - value
            case 2:
                return self._take(value).hex()
            case 3:
                return self._text(value)
            case 4:
                return [self.read(depth - 1) for _ in range(value)]
            case 5:
                return {str(self.read(1)): self.read(depth - 1) for _ in range(value)}
            case 6:
                return self._tagged(value)
            case _:
                raise Malformed(f"there is no value of type {major} here")

    def _tagged(self, tag: int) -> Plain:
        major, size = self._head()
        raw = self._take(size)
        if major == _BYTES and tag == _BIG:
            return int.from_bytes(raw, "big")
        if major == _BYTES and tag == _EIP55:
            return checksum_address(raw)
        raise Malformed(f"there is no tag {tag} here")

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise Malformed("its text is no UTF-8") from error

    def _head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        low = first & 31
        if low < 24:
            return first >> 5, low
        if low not in _WIDTHS:
            raise Malformed("a length of no kind")
        return first >> 5, int.from_bytes(self._take(_WIDTHS[low]), "big")

    def _take(self, size: int) -> bytes:
        if size > len(self._raw) - self.at:
            raise Malformed("it is cut short")
        self.at += size
        return self._raw[self.at - size : self.at]
