"""Bytes of ours in blocks: OP_RETURN outputs of at most 80 bytes, which is what nodes relay, in transactions that
each spend the change of the one before.

    output   OP_RETURN of  index << 4 | last index (1 byte), tag (3 bytes), up to 76 bytes of the data

The tag is the data's first three bytes, and tells the parts of one piece from those of another; so data must begin
with what looks random. Found again by the keys in the inputs' witnesses: nobody else can spend our coins.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from chains.bitcoin.blocks import Receipt, read_block
from chains.bitcoin.coins import COIN_WEIGHT, Bid, Purchase, Selection, select
from chains.bitcoin.encoding import outpoint
from chains.bitcoin.node import BLOCKS, Node
from chains.bitcoin.payments import Purse, sign_all, signed
from chains.bitcoin.transaction import OUTPUT_P2WPKH_WEIGHT, OVERHEAD_WEIGHT, TxOut, parse
from chains.errors import InsufficientFunds
from chains.legs import NATIVE

if TYPE_CHECKING:
    from chains.port import SignedTx

CARRIER: Final = 80  # bytes that nodes relay in an OP_RETURN output (83 with the opcodes)
TAG: Final = 3
HEAD: Final = 1 + TAG
MOST: Final = 16  # parts: an index has four bits, and nodes take chains of 25 transactions
LONGEST: Final = MOST * (CARRIER - HEAD)  # bytes of one piece
SLACK_SECONDS: Final = 7200  # a block's time may be so far ahead of the clock

OP_RETURN: Final = 0x6A
OP_PUSHDATA1: Final = 0x4C
DIRECT: Final = 75  # the longest push that needs no opcode


# --- parts -----------------------------------------------------------------------------------------------


def split(data: bytes) -> tuple[bytes, ...]:
    """The parts that carry some data, each for one output. Raises ValueError if it is too long."""
    if not TAG <= len(data) <= LONGEST:
        raise ValueError(f"{len(data)} bytes, between {TAG} and {LONGEST} fit")
    step = CARRIER - HEAD
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    last = len(pieces) - 1
    return tuple(bytes([index << 4 | last]) + data[:TAG] + piece for index, piece in enumerate(pieces))


def join(parts: Iterable[bytes]) -> tuple[bytes, ...]:
    """What parts, in the order in which they were mined, carry; what is not whole is left out."""
    open_: dict[bytes, list[bytes]] = {}
    whole = []
    for part in parts:
        if len(part) <= HEAD:
            continue
        index, last, tag = part[0] >> 4, part[0] & 15, part[1:HEAD]
        if index == 0:
            open_[tag] = []
        pieces = open_.get(tag)
        if pieces is None or len(pieces) != index:
            continue
        pieces.append(part[HEAD:])
        if index == last:
            whole.append(b"".join(open_.pop(tag)))
    return tuple(whole)


def carrier(part: bytes) -> bytes:
    """The script of an output that carries a part and can't be spent."""
    size = bytes([len(part)]) if len(part) <= DIRECT else bytes([OP_PUSHDATA1, len(part)])
    return bytes([OP_RETURN]) + size + part


def carried(script: bytes) -> bytes | None:
    """The part that an output carries, if it carries one."""
    if len(script) < 3 or script[0] != OP_RETURN:
        return None
    at = 3 if script[1] == OP_PUSHDATA1 else 2
    size = script[at - 1]
    return script[at:] if len(script) == at + size else None


# --- writing ---------------------------------------------------------------------------------------------


def inscribe(
    purse: Purse, data: bytes, price: int, first: Bid, required: Sequence[Receipt], others: Sequence[Receipt]
) -> tuple[SignedTx, ...]:
    """Transactions that carry the data, each but the first spending the change of the one before. price: satoshi
    per 1000 vbytes; `first` is what the first of them bids. Raises InsufficientFunds."""
    scripts = [carrier(part) for part in split(data)]
    outputs = [TxOut(0, script) for script in scripts]
    weights = [4 * len(output.to_bytes()) + OUTPUT_P2WPKH_WEIGHT for output in outputs]
    rest = sum(Bid(price).fee(OVERHEAD_WEIGHT + COIN_WEIGHT + weight) for weight in weights[1:])
    purchase = Purchase(rest + purse.dust, weights[0], first, purse.dust)
    chosen = select(purchase, required, others)
    if chosen is None:
        available = sum(coin.amount for coin in (*required, *others))
        raise InsufficientFunds(purse.chain, NATIVE, purchase.cost(1, change=False), available)
    coins, bid, made = chosen.coins, first, []
    for output, weight in zip(outputs, weights, strict=True):
        fee = bid.fee(OVERHEAD_WEIGHT + len(coins) * COIN_WEIGHT + weight)
        change = sum(coin.amount for coin in coins) - fee
        tx = signed(purse.chain, sign_all(purse, Selection(coins, change), (output,)))
        made.append(tx)
        coins, bid = (Receipt(outpoint(f"{tx.txid}:1"), purse.change, change, 0, 0),), Bid(price)
    return tuple(made)


# --- reading ---------------------------------------------------------------------------------------------


async def find(node: Node, scripts: Container[bytes], keys: Container[bytes], since: int) -> tuple[bytes, ...]:
    """What was inscribed with `keys`, whose change pays `scripts`, in blocks from UNIX time `since` on. Reads
    every block of that time. Raises UnsupportedChain where the node has them no more."""
    best, _ = await node.best()
    top = (await node.tip(best)).height
    parts: list[bytes] = []
    for start in range(await _height(node, since - SLACK_SECONDS, top), top + 1, BLOCKS):
        hashes = await node.hashes(range(start, min(start + BLOCKS, top + 1)))
        for at, raw in zip(hashes, await node.blocks(hashes), strict=True):
            found = {
                receipt.position: receipt.outpoint[:32][::-1].hex()
                for receipt in read_block(raw, 0, scripts, ()).receipts
            }
            for position in sorted(found):
                parts += _parts(await node.mined(found[position], at), keys)
    return join(parts)


def _parts(raw: bytes, keys: Container[bytes]) -> list[bytes]:
    """The parts in a transaction, if its first input is signed by one of the keys (P2WPKH: signature, key)."""
    tx = parse(raw)
    witness = tx.witnesses[0] if tx.witnesses else ()
    if len(witness) != 2 or witness[1] not in keys:
        return []
    return [part for output in tx.outputs if (part := carried(output.script)) is not None]


async def _height(node: Node, since: int, top: int) -> int:
    """The first block whose median time past is not before `since`; it never falls (BIP113)."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        (block,) = await node.hashes([middle])
        if (await node.tip(block)).time < since:
            low = middle + 1
        else:
            high = middle
    return low
