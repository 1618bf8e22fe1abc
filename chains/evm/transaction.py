"""Transactions of type 2 (EIP-1559): signing them, and reading back our own."""

from __future__ import annotations

from dataclasses import dataclass

import coincurve

from chains.evm.codec import address_bytes, checksum_address, keccak256
from chains.port import SignedTx

_TYPE = b"\x02"


@dataclass(frozen=True, slots=True)
class Transaction:
    """price: maxFeePerGas; tip: maxPriorityFeePerGas (wei per gas). gas: the limit. to: None creates a contract.
    value: wei."""

    chain_id: int
    nonce: int
    tip: int
    price: int
    gas: int
    to: str | None
    value: int = 0
    data: bytes = b""

    def sign(self, chain: str, sender: str, secret: bytes) -> SignedTx:
        """Signed for the port; deterministic (RFC 6979)."""
        import rlp  # type: ignore[import-untyped]  # a fifth of a second

        fields = self._fields()
        digest = keccak256(_TYPE + rlp.encode(fields))
        signature = coincurve.PrivateKey(secret).sign_recoverable(digest, hasher=None)
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:64]))
        raw = _TYPE + rlp.encode([*fields, signature[64], r, s])
        return SignedTx(
            chain=chain,
            txid="0x" + keccak256(raw).hex(),
            raw=raw,
            claims=(claim(sender, self.nonce),),
            price=self.price,
            fee=self.gas * self.price,
        )

    def _fields(self) -> list[int | bytes | list[bytes]]:
        numbers = [self.chain_id, self.nonce, self.tip, self.price, self.gas]
        return [*numbers, address_bytes(self.to) if self.to else b"", self.value, self.data, []]


def read_transaction(tx: SignedTx) -> Transaction:
    """The fields of a transaction that `sign` made."""
    import rlp

    chain_id, nonce, tip, price, gas, to, value, data, *_ = rlp.decode(tx.raw[1:])
    return Transaction(
        chain_id=int.from_bytes(chain_id, "big"),
        nonce=int.from_bytes(nonce, "big"),
        tip=int.from_bytes(tip, "big"),
        price=int.from_bytes(price, "big"),
        gas=int.from_bytes(gas, "big"),
        to=checksum_address(to) if to else None,
        value=int.from_bytes(value, "big"),
        data=data,
    )


def claim(account: str, nonce: int) -> str:
    """What a transaction uses up."""
    return f"{account.lower()}:{nonce}"


def claimed(tx: SignedTx) -> tuple[str, int]:
    """(account in lower case, nonce) of a transaction of ours."""
    account, nonce = tx.claims[0].split(":")
    return account, int(nonce)
