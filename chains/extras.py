"""What some chains and wallets can do besides the port. Whoever needs it asks with `isinstance`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chains.errors import ChainError
from chains.legs import Leg
from chains.port import Key, SignedTx


@dataclass(eq=False)
class BadPresigned(ChainError):
    """A spend that was signed ahead, and can't be what it says."""

    path: str
    reason: str
    template = "{chain}: a signed spend by path {path!r} is not used: {reason}"


@dataclass(frozen=True, slots=True)
class Presigned:
    """A spend of a leg that its recipient signed ahead. Everything that is not here follows from leg and path.

    coin: "txid:vout" that it takes, and held: the units there. script: hex, that it pays, and amount: how much;
    the rest is the fee. signature: the recipient's, hex, over all of it but the preimages.
    """

    path: str
    coin: str
    held: int
    script: str
    amount: int
    signature: str


@runtime_checkable
class Sweeps(Protocol):
    """A wallet that can rule out every transaction which it may have signed and forgotten."""

    async def sweep(self, price: int, count: int, pending: Sequence[SignedTx]) -> tuple[SignedTx, ...]:
        """Sign payments to ourselves that use up whatever a forgotten transaction could be made of, but for what
        `pending` claims: all confirmed coins, or at least `count` nonces. None where there is nothing. Raises
        InsufficientFunds."""
        ...


@runtime_checkable
class Inscribes(Protocol):
    """A wallet that can write bytes into its chain, and find them again with nothing but its keys."""

    async def inscribe(
        self, data: bytes, price: int, cap: int, pending: Sequence[SignedTx], replacing: Sequence[SignedTx] = ()
    ) -> tuple[SignedTx, ...]:
        """Sign what carries `data`, in the order in which it is to be sent; it must begin with what looks random.
        cap: native units for all of it. `replacing` is what was signed for it before, none of it mined; either it
        or the new one can be. Raises InsufficientFunds, FeeAboveCap, WouldFail where it is too late to replace."""
        ...

    async def inscriptions(self, since: int) -> tuple[bytes, ...]:
        """All that this wallet inscribed in blocks from UNIX time `since` on, oldest first. Raises
        UnsupportedChain where the node does not have them any more."""
        ...


@runtime_checkable
class Presigns(Protocol):
    """A wallet whose spends the recipient must sign, and can sign ahead for somebody else to send."""

    async def presign(self, leg: Leg, path: str, key: Key, prices: Sequence[int]) -> tuple[Presigned, ...]:
        """A spend of what stands at the leg to this wallet for each of the prices that it can pay. Raises
        NothingToSpend, BadKey."""
        ...


@runtime_checkable
class Completes(Protocol):
    """A chain on which a spend that was signed ahead is completed by whoever knows the preimages. On a chain that
    is not one of these, anybody may push a path, and the terms fix who is paid."""

    def complete(self, leg: Leg, spend: Presigned, preimages: Sequence[bytes] | None = None) -> SignedTx:
        """The transaction. Without preimages it is not valid, but has the same txid, price and fee. Raises
        BadPresigned unless path and signature are good for this leg."""
        ...
