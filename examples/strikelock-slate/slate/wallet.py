"""One party's account: the port's Wallet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from coincurve import PrivateKey, PublicKeyXOnly

from chains.errors import (
    AccountBusy,
    BadAsset,
    BadKey,
    FeeAboveCap,
    InsufficientFunds,
    NothingToSpend,
    WouldFail,
)
from chains.legs import NATIVE, Leg
from chains.port import Key, SignedTx
from slate.ledger import Ledger, consent_digest, leg_address, leg_form, refusal, sign, txid_of, verified


class SlateWallet:
    """The account of a seed. It keeps no state: the seed, the chain and `pending` give everything."""

    def __init__(self, chain: str, ledger: Ledger, seed: bytes) -> None:
        self._chain = chain
        self._ledger = ledger
        self._secret = hashlib.sha256(b"slate" + seed).digest()
        self.address = PublicKeyXOnly.from_secret(self._secret).format().hex()

    def key(self, nonce: bytes, label: str) -> Key:
        """The account's own: legs are told apart by their salt."""
        return Key(self.address, self._secret)

    async def balance(self, asset: str) -> int:
        if asset != NATIVE:
            raise BadAsset(self._chain, asset)
        return self._ledger.state().balances.get(self.address, 0)

    # --- paying

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        held = await self.balance(NATIVE) - sum(tx.fee for tx in pending)
        if held < leg.amount + price:
            raise InsufficientFunds(self._chain, NATIVE, leg.amount + price, max(held, 0))
        body = {"to": leg_address(leg), "amount": leg.amount}
        return self._sign(body, self._nonce(pending, replacing), price, cap, replacing)

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        price = max([price, tx.price + 1, *([replacing.price + 1] if replacing else [])])
        return self._sign({"to": self.address, "amount": 0}, self._nonce(pending, tx), price, price, None)

    # --- spending

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
        address, form = leg_address(leg), leg_form(leg)
        leg.path(path)
        shown = [preimage.hex() for preimage in preimages]
        chosen = next(one for one in form["paths"] if one["name"] == path)
        if not self._ledger.state().balances.get(address, 0):
            raise NothingToSpend(self._chain, address)
        if reason := refusal(address, chosen, shown, list(consents), self._ledger.tip().stamp):
            raise WouldFail(self._chain, reason)
        nonce = self._nonce(pending, replacing)
        if idle and nonce != self._ledger.state().nonces.get(self.address, 0):
            raise AccountBusy(self._chain, self.address)
        body = {"leg": form, "path": path, "preimages": shown, "consents": list(consents)}
        return self._sign(body, nonce, price, cap, replacing)

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        if key.public not in leg.path(path).signers:
            raise BadKey(key.public, f"it is no signer of path {path!r}")
        return PrivateKey(key.secret).sign_schnorr(consent_digest(leg_address(leg), path)).hex()

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        known = signer in leg.path(path).signers
        return known and verified(signer, consent, consent_digest(leg_address(leg), path))

    # --- inside

    def _nonce(self, pending: Sequence[SignedTx], replacing: SignedTx | None) -> int:
        """That of what is replaced, else the lowest that nothing of ours has."""
        used = self._ledger.state().nonces.get(self.address, 0)
        if replacing is not None:
            nonce = int(replacing.claims[0].rpartition(":")[2])
            if nonce < used:
                raise WouldFail(self._chain, f"nonce {nonce} was used by a mined transaction")
            return nonce
        taken = {claim for tx in pending for claim in tx.claims}
        while f"{self.address}:{used}" in taken:
            used += 1
        return used

    def _sign(
        self, content: dict[str, Any], nonce: int, price: int, cap: int, replacing: SignedTx | None
    ) -> SignedTx:
        price = max(price, replacing.price + 1 if replacing else 0)
        if price > cap:
            raise FeeAboveCap(self._chain, price, cap)
        raw = sign({**content, "account": self.address, "nonce": nonce, "price": price}, self._secret)
        return SignedTx(self._chain, txid_of(raw), raw, (f"{self.address}:{nonce}",), price, price)
