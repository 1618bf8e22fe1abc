"""Column types of our own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator

from settlement.store.errors import DamagedRecord

UINT256_DIGITS = 78  # of 2**256 - 1
MAX_UINT256 = 2**256 - 1

# SQLite numbers rows by itself only in a column declared INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")


class Uint256(TypeDecorator[int]):
    """An integer from 0 to 2**256 - 1, as 78 decimal digits: sorts as text, reads as a number.

    No integer column of any database holds it: SQLite's overflows at 2**63, and NUMERIC loses digits there.
    """

    impl = String(UINT256_DIGITS)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not 0 <= value <= MAX_UINT256:
            raise DamagedRecord("amount", f"{value} is not from 0 to 2**256 - 1")
        return f"{value:0{UINT256_DIGITS}d}"

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)
