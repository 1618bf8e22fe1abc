"""Failures of an EVM node that callers tell apart by more than their message."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import RpcError


@dataclass(eq=False)
class Reverted(RpcError):
    """A simulated call reverted. `data` is what the contract returned: a custom error, or nothing."""

    data: bytes


@dataclass(eq=False)
class TransportFailed(Exception):
    """One request got no answer: connection refused or dropped, time-out, or an answer that is no JSON-RPC.

    It never leaves the client, which tries again and raises ChainUnavailable at last."""

    reason: str

    def __str__(self) -> str:
        return self.reason
