"""What a watchtower spends with: pushes paid by its own coin, and spends that owners signed ahead.

Each is a `chains.port.Wallet` that can spend legs for others, and can't fund, cancel a funding, sign a release or
hold a key of anybody's deal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import ChainError
from chains.extras import Completes, Presigned
from chains.legs import Leg
from chains.port import Chain, Key, SignedTx, Wallet

Rung = tuple[SignedTx, Presigned]


@dataclass(eq=False)
class TowerCannot(ChainError):
    """A tower was asked for what only a party can do."""

    what: str
    template = "{chain}: a tower can't {what}"


@dataclass(eq=False)
class NotSigned(ChainError):
    """Nothing was signed ahead for a path that is due. The owner must export the deal again."""

    path: str
    address: str
    template = "{chain}: no spend by path {path!r} of {address} was handed over: the owner must export it again"


class TowerWallet:
    """A `chains.port.Wallet` that spends legs for others, and does nothing else."""

    address = ""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def key(self, nonce: bytes, label: str) -> Key:
        """A tower has no keys in anybody's deal."""
        return Key("", b"")

    async def balance(self, asset: str) -> int:
        return 0

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        raise TowerCannot(self._chain.name, "fund a leg")

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        raise TowerCannot(self._chain.name, "cancel a transaction")

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        raise TowerCannot(self._chain.name, f"spend by path {path!r}")

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        raise TowerCannot(self._chain.name, "sign a release")

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        return False


class LadderWallet(TowerWallet):
    """Sends spends that their owners signed ahead: the cheapest that bids what the deadline asks for."""

    def __init__(self, chain: Chain, completes: Completes) -> None:
        super().__init__(chain)
        self._completes = completes
        self._rungs: dict[tuple[str, str], tuple[Rung, ...]] = {}

    def learn(self, leg: Leg, path: str, rungs: tuple[Rung, ...]) -> None:
        """Take over what was signed for a path, in place of what was handed over before."""
        self._rungs[self._chain.address(leg).address, path] = rungs

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        """See the port. At the top of the ladder it is the same transaction again."""
        address = self._chain.address(leg).address
        rungs = self._rungs.get((address, path), ())
        if not rungs:
            raise NotSigned(self._chain.name, path, address)
        least = price if replacing is None else max(price, replacing.price + self._chain.price_step)
        fits = [rung for rung in rungs if rung[0].price >= least and rung[0].fee <= cap]
        _, chosen = fits[0] if fits else _best(rungs, cap)
        return self._completes.complete(leg, chosen, preimages)


def _best(rungs: Sequence[Rung], cap: int) -> Rung:
    """The dearest that the cap allows, and the cheapest of all if it allows none."""
    return max((rung for rung in rungs if rung[0].fee <= cap), key=lambda rung: rung[0].price, default=rungs[0])


class PushingWallet(TowerWallet):
    """Pushes paths with the tower's own coin, and never pays more than `most` for one."""

    def __init__(self, chain: Chain, wallet: Wallet, most: int) -> None:
        super().__init__(chain)
        self._wallet = wallet
        self._most = most
        self.address = wallet.address

    async def balance(self, asset: str) -> int:
        return await self._wallet.balance(asset)

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """A push that is not wanted any more would block the account's later ones."""
        return await self._wallet.cancel(tx, price, pending, replacing)

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        cap = min(cap, self._most)
        price = min(price, max(cap // self._chain.usual_size, 1))
        own = self._wallet.key(b"", "")
        return await self._wallet.spend(leg, path, own, preimages, consents, price, cap, pending, replacing, idle)
