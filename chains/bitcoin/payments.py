"""The transactions a wallet makes, built and signed. Pure: coins, keys and prices go in, a SignedTx comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chains.bitcoin import miniscript as ms
from chains.bitcoin.blocks import Receipt
from chains.bitcoin.coins import COIN_WEIGHT, Bid, Purchase, Selection, select
from chains.bitcoin.compiler import Contract
from chains.bitcoin.encoding import hash160
from chains.bitcoin.hd import WalletKey
from chains.bitcoin.keys import sign
from chains.bitcoin.transaction import (
    OUTPUT_P2WPKH_WEIGHT,
    OUTPUT_P2WSH_WEIGHT,
    OVERHEAD_WEIGHT,
    SIGHASH_ALL,
    Tx,
    TxIn,
    TxOut,
    vbytes,
)
from chains.errors import FeeAboveCap, InsufficientFunds, NothingToSpend
from chains.legs import NATIVE, Path
from chains.port import Key, SignedTx


def signed(chain: str, tx: Tx) -> SignedTx:
    """What the engine stores of a transaction whose witnesses are complete."""
    return SignedTx(
        chain=chain,
        txid=tx.txid,
        raw=tx.to_bytes(),
        claims=tx.claims,
        price=tx.fee * 1000 // vbytes(tx.weight),
        fee=tx.fee,
    )


# --- from the wallet -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Purse:
    """What the wallet can pay with. keys: by script. change: the script that change goes to. dust: the least that
    an output of the wallet may hold."""

    chain: str
    dust: int
    keys: Mapping[bytes, WalletKey]
    change: bytes


def pay(
    purse: Purse,
    output: TxOut,
    bid: Bid,
    cap: int,
    required: Sequence[Receipt],
    others: Sequence[Receipt],
) -> SignedTx:
    """Pay one P2WSH output. Raises InsufficientFunds, FeeAboveCap."""
    purchase = Purchase(output.amount, OUTPUT_P2WSH_WEIGHT, bid, purse.dust)
    chosen = select(purchase, required, others)
    if chosen is None:
        everything = (*required, *others)
        available = sum(coin.amount for coin in everything)
        needed = purchase.cost(max(len(everything), 1), change=False)
        raise InsufficientFunds(purse.chain, NATIVE, needed, available)
    tx = sign_all(purse, chosen, (output,))
    if tx.fee > cap:
        raise FeeAboveCap(purse.chain, tx.fee, cap)
    return signed(purse.chain, tx)


def take_back(purse: Purse, coins: Sequence[Receipt], bid: Bid) -> SignedTx:
    """Pay coins of the wallet to itself, so that whatever else spends one of them can't be mined. Raises
    InsufficientFunds where they don't cover the fee."""
    fee = bid.fee(OVERHEAD_WEIGHT + len(coins) * COIN_WEIGHT + OUTPUT_P2WPKH_WEIGHT)
    total = sum(coin.amount for coin in coins)
    if total - fee < purse.dust:
        raise InsufficientFunds(purse.chain, NATIVE, fee + purse.dust, total)
    return signed(purse.chain, sign_all(purse, Selection(tuple(coins), total - fee), ()))


def sign_all(purse: Purse, chosen: Selection, outputs: tuple[TxOut, ...]) -> Tx:
    """Pay the outputs, and the change after them, with the coins of a selection."""
    if chosen.change:
        outputs = (*outputs, TxOut(chosen.change, purse.change))
    keys = [purse.keys[coin.script] for coin in chosen.coins]
    inputs = tuple(
        TxIn(coin.outpoint, coin.amount, _p2pkh(key.public)) for coin, key in zip(chosen.coins, keys, strict=True)
    )
    tx = Tx(inputs, outputs)
    witnesses = [(sign(key.secret, tx.digest(index), SIGHASH_ALL), key.public) for index, key in enumerate(keys)]
    return _with_witnesses(tx, witnesses)


def _p2pkh(public: bytes) -> bytes:
    """The script that a P2WPKH input's signature commits to (BIP143)."""
    return b"\x76\xa9\x14" + hash160(public) + b"\x88\xac"


def _with_witnesses(tx: Tx, witnesses: Sequence[tuple[bytes, ...]]) -> Tx:
    inputs = tuple(replace(coin, witness=items) for coin, items in zip(tx.inputs, witnesses, strict=True))
    return replace(tx, inputs=inputs)


# --- from a leg ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sweep:
    """A spend of a leg's coins by one path. consents: for each coin, the other signers' signatures by key."""

    address: str
    contract: Contract
    path: Path
    key: Key
    preimages: Mapping[bytes, bytes]
    consents: Mapping[bytes, Mapping[str, bytes]]

    def build(self, purse: Purse, main: Receipt, others: Sequence[Receipt], bid: Bid, cap: int) -> SignedTx:
        """Spend `main` in any case, so that every retry conflicts with all others, and of `others` those that pay
        for themselves. Raises NothingToSpend, FeeAboveCap."""
        weight = self.contract.input_weight(self.path.name)
        worth = [coin for coin in others if coin.amount > bid.price * vbytes(weight) // 1000]
        coins = (main, *worth)
        fee = bid.fee(OVERHEAD_WEIGHT + len(coins) * weight + OUTPUT_P2WPKH_WEIGHT)
        amount = sum(coin.amount for coin in coins) - fee
        if fee > cap:
            raise FeeAboveCap(purse.chain, fee, cap)
        if amount < purse.dust:
            raise NothingToSpend(purse.chain, self.address)
        inputs = tuple(TxIn(coin.outpoint, coin.amount, self.contract.script) for coin in coins)
        tx = Tx(inputs, (TxOut(amount, purse.change),), lock_time=self.path.after or 0)
        return signed(purse.chain, _with_witnesses(tx, [self._witness(tx, index) for index in range(len(coins))]))

    def _witness(self, tx: Tx, index: int) -> tuple[bytes, ...]:
        template = self.contract.templates[self.path.name]
        return (*(self._item(item, tx, index) for item in template), self.contract.script)

    def _item(self, item: ms.Item, tx: Tx, index: int) -> bytes:
        match item:
            case ms.SigOf(key=self.key.public):
                return sign(self.key.secret, tx.digest(index), SIGHASH_ALL)
            case ms.SigOf(key=signer):
                return self.consents[tx.inputs[index].outpoint][signer]
            case ms.MemberSig(place=place, keys=members):
                given = self.consents[tx.inputs[index].outpoint]
                return [given[member] for member in members if member in given][place]
            case ms.PreimageOf(hash=value):
                return self.preimages[value]
            case ms.Choice(first=True):
                return b"\x01"
            case ms.Choice() | ms.NoSig() | ms.Dummy():
                return b""
