"""Strict readers of the fields of what other parties send: each gives the value, or MalformedMessage naming the
field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from settlement.errors import MalformedMessage

MAX_TIME = 2**40
MAX_AMOUNT = 2**256 - 1

_HEX = re.compile(r"[0-9a-f]*")
_WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,77}")


def record(data: Any, names: set[str], where: str = "body") -> Mapping[str, Any]:
    """An object with exactly these fields."""
    if not isinstance(data, Mapping):
        raise MalformedMessage(where, "it must be an object")
    for name in sorted(names - data.keys()):
        raise MalformedMessage(f"{where}.{name}", "it is missing")
    for name in sorted(data.keys() - names):
        raise MalformedMessage(where, f"there is no field {name[:64]!r}")
    return dict(data)


def hex_bytes(value: Any, where: str, size: int) -> str:
    """So many bytes in lower-case hex, as text."""
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedMessage(f"body.{where}", f"it must be {size} bytes in lower-case hex")
    return value


def word(value: Any, where: str) -> str:
    """A name."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise MalformedMessage(f"body.{where}", "a name has 1 to 64 letters, digits, dots, dashes and underscores")
    return value


def line(value: Any, where: str, limit: int) -> str:
    """Printable ASCII, which may be empty."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > limit:
        raise MalformedMessage(
            f"body.{where}", f"it must be a string of at most {limit} printable ASCII characters"
        )
    return value


def moment(value: Any, where: str) -> int:
    """A UNIX time."""
    if type(value) is not int or not 0 <= value < MAX_TIME:
        raise MalformedMessage(f"body.{where}", "it must be a UNIX time in whole seconds")
    return value


def whole(value: Any, where: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if type(value) is not int or not least <= value <= most:
        raise MalformedMessage(f"body.{where}", f"it must be a whole number from {least} to {most}")
    return value


def amount(value: Any, where: str) -> int:
    """A positive amount from its decimal string: a uint256 does not survive a JSON number everywhere."""
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or int(value) > MAX_AMOUNT:
        raise MalformedMessage(
            f"body.{where}", "it must be a positive whole number below 2**256, written as a string of digits"
        )
    return int(value)


def choice(value: Any, where: str, allowed: tuple[str, ...]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in allowed:
        raise MalformedMessage(f"body.{where}", f"it must be one of {', '.join(allowed)}")
    return value
