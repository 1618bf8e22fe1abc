"""Why a simulated call reverted, in words."""

from __future__ import annotations

from chains.evm.artifact import revert_reason
from chains.evm.codec import selector
from chains.evm.errors import Reverted

EMPTY_VAULT = selector("EmptyVault(address,address)")

_ERROR = selector("Error(string)")
_PANIC = selector("Panic(uint256)")


def words_of(error: Reverted) -> str:
    """The factory's errors by name and fields, a token's own text, a panic's code; else what the node says."""
    data = error.data
    if ours := revert_reason(data) if data else None:
        return ours
    if data[:4] == _PANIC and len(data) == 36:
        return f"Panic({int.from_bytes(data[4:], 'big'):#x})"
    if data[:4] == _ERROR and len(data) >= 68:
        size = int.from_bytes(data[36:68], "big")
        return data[68 : 68 + size].decode("utf-8", "replace")
    return error.message if not data or data.hex() in error.message else f"{error.message}: 0x{data.hex()}"


def is_empty(error: Reverted) -> bool:
    """The vault that path and witness lead to holds nothing."""
    return error.data[:4] == EMPTY_VAULT
