"""The checksum of output descriptors (BIP380)."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

_INPUT: Final = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
_OUTPUT: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
_LENGTH: Final = 8
_VALUES: Final = {char: value for value, char in enumerate(_INPUT)}
_CARRIED: Final = tuple(
    reduce(xor, (term for bit, term in enumerate(_GENERATOR) if top >> bit & 1), 0) for top in range(32)
)


def with_checksum(descriptor: str) -> str:
    """`descriptor`, "#" and its eight characters of checksum."""
    check = _polymod([*_symbols(descriptor), *[0] * _LENGTH]) ^ 1
    return descriptor + "#" + "".join(_OUTPUT[check >> 5 * (7 - index) & 31] for index in range(_LENGTH))


def _symbols(text: str) -> list[int]:
    """Each character gives its low five bits, each three of them their high bits together."""
    symbols: list[int] = []
    group: list[int] = []
    for char in text:
        value = _VALUES[char]
        symbols.append(value & 31)
        group.append(value >> 5)
        if len(group) == 3:
            symbols.append(group[0] * 9 + group[1] * 3 + group[2])
            group = []
    if len(group) == 1:
        symbols.append(group[0])
    elif len(group) == 2:
        symbols.append(group[0] * 3 + group[1])
    return symbols


def _polymod(symbols: list[int]) -> int:
    check = 1
    for value in symbols:
        check = (check & 0x7FFFFFFFF) << 5 ^ value ^ _CARRIED[check >> 35]
    return check
