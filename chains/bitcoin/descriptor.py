"""The checksum of output descriptors (BIP380).

Three characters at a time: they make four symbols of five bits, and what four steps do to the checksum is the sum
of what they do to its halves. A node with a thousand deals makes two thousand of these when it starts.
"""

from __future__ import annotations

from typing import Final

from chains.bitcoin.encoding import CHARSET, carried

_INPUT: Final = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
_LENGTH: Final = 8
_GROUP: Final = 3  # characters, whose high bits share a symbol
_VALUES: Final = {char: value for value, char in enumerate(_INPUT)}
_CARRIED: Final = carried((0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD))


def _step(check: int, symbol: int = 0) -> int:
    """The checksum after one more symbol."""
    return (check & 0x7FFFFFFFF) << 5 ^ symbol ^ _CARRIED[check >> 35]


def _four_steps(check: int) -> int:
    return _step(_step(_step(_step(check))))


_UPPER: Final = tuple(_four_steps(bits << 30) for bits in range(1024))  # by the topmost ten bits, of forty
_LOWER: Final = tuple(_four_steps(bits << 20) for bits in range(1024))  # by the ten below
_PLACES: Final = tuple(
    {char: (value & 31) << shift | (value >> 5) * weight for char, value in _VALUES.items()}
    for shift, weight in ((15, 9), (10, 3), (5, 1))
)


def with_checksum(descriptor: str) -> str:
    """`descriptor`, "#" and its eight characters of checksum."""
    check = _group(_group(_checked(descriptor))) ^ 1
    return descriptor + "#" + "".join(CHARSET[check >> 5 * (7 - index) & 31] for index in range(_LENGTH))


def _checked(text: str) -> int:
    """The checksum after a text: each character gives its low five bits; each three of them, and what is left in
    the end, give their high bits together."""
    first, second, third = _PLACES
    check, whole = 1, len(text) - len(text) % _GROUP
    for one, two, three in zip(text[0:whole:3], text[1:whole:3], text[2:whole:3], strict=True):
        check = _group(check, first[one] + second[two] + third[three])
    high = 0
    for char in text[whole:]:
        check, high = _step(check, _VALUES[char] & 31), high * 3 + (_VALUES[char] >> 5)
    return _step(check, high) if text[whole:] else check


def _group(check: int, symbols: int = 0) -> int:
    """The checksum after four more symbols."""
    return (check & 0xFFFFF) << 20 ^ symbols ^ _UPPER[check >> 30] ^ _LOWER[check >> 20 & 1023]
