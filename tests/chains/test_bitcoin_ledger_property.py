"""The follower against brute force: a made-up node whose chain grows, forks and forgets."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.bitcoin.blocks import read_block
from chains.bitcoin.compiler import Contract
from chains.bitcoin.encoding import compact_size, double_sha256, outpoint_text, sha256, var_bytes
from chains.bitcoin.facts import WatchedLeg
from chains.bitcoin.follower import Follower
from chains.bitcoin.node import Node
from chains.bitcoin.params import COIN, NETWORKS
from chains.errors import RpcError
from chains.legs import NATIVE, Leg

NETWORK = NETWORKS["bitcoin", "regtest"]
SCRIPTS = [b"\x00\x20" + sha256(bytes((index,))) for index in range(8)]
LEGS, WALLET = SCRIPTS[:3], SCRIPTS[3:5]  # the others are strangers'


@dataclass
class MadeUp:
    """A node's memory: blocks with one transaction each, which spends some coins and makes others."""

    dice: random.Random
    blocks: list[MadeUpBlock] = field(default_factory=list)

    def grow(self) -> None:
        previous = self.blocks[-1].hash if self.blocks else bytes(32)
        coins = sorted(self.coins())
        spent = self.dice.sample(coins, min(len(coins), self.dice.choice((0, 0, 1, 2))))
        paid = [(self.dice.choice(SCRIPTS), self.dice.randint(1, 1000)) for _ in range(self.dice.randint(1, 3))]
        self.blocks.append(MadeUpBlock(previous, spent, paid, self.dice.getrandbits(32)))

    def fork(self, depth: int) -> None:
        del self.blocks[max(len(self.blocks) - depth, 1) :]

    def coins(self) -> dict[bytes, tuple[bytes, int, int]]:
        """Outpoint to script, amount and height of everything unspent."""
        found: dict[bytes, tuple[bytes, int, int]] = {}
        for height, block in enumerate(self.blocks):
            for point in block.spent:
                del found[point]
            for index, (script, amount) in enumerate(block.paid):
                found[block.txid + index.to_bytes(4, "little")] = (script, amount, height)
        return found

    # --- as the follower asks

    async def all(self, calls: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        return [await self.call(method, *params) for method, params in calls]

    async def batch(self, calls: list[tuple[str, tuple[Any, ...]]], timeout: float | None = None) -> list[Any]:
        return await self.all(calls)

    async def call(self, method: str, *params: Any, timeout: float | None = None) -> Any:
        await asyncio.sleep(0)
        match method, params:
            case "getbestblockhash", ():
                return self.blocks[-1].id
            case "getblockhash", (0,):
                return self.blocks[0].id
            case "getblockhash", (height,):
                if height >= len(self.blocks):
                    raise RpcError("bitcoin", method, -8, "Block height out of range")
                return self.blocks[height].id
            case "getblock", (wanted, 0):
                return next(block.raw for block in ALL_BLOCKS if block.id == wanted).hex()
            case "getblockheader", (wanted,):
                height = next(at for at, block in enumerate(self.blocks) if block.id == wanted)
                return {"height": height, "mediantime": height, "time": height}
            case "gettxspendingprevout", (points,):
                return [dict(point) for point in points]
            case "scantxoutset", ("start", wanted):
                scripts = {bytes.fromhex(text[4:-1]) for text in wanted}
                found = self._scanned(scripts)
                for _ in range(self.dice.choice((0, 0, 1, 3))):  # it takes its time
                    self.grow()
                if self.dice.random() < 0.2:
                    self.fork(2)
                    self.grow()
                return found
        raise AssertionError(method)

    def _scanned(self, scripts: set[bytes]) -> dict[str, Any]:
        return {
            "height": len(self.blocks) - 1,
            "bestblock": self.blocks[-1].id,
            "unspents": [
                {
                    "txid": outpoint_text(point).partition(":")[0],
                    "vout": int(outpoint_text(point).partition(":")[2]),
                    "scriptPubKey": script.hex(),
                    "amount": Decimal(amount) / COIN,
                    "height": height,
                    "coinbase": False,
                }
                for point, (script, amount, height) in self.coins().items()
                if script in scripts
            ],
        }


ALL_BLOCKS: list[MadeUpBlock] = []


class MadeUpBlock:
    def __init__(self, previous: bytes, spent: list[bytes], paid: list[tuple[bytes, int]], salt: int) -> None:
        self.spent, self.paid = spent, paid
        inputs = spent or [bytes(36)]
        body = compact_size(len(inputs)) + b"".join(point + b"\x00" + b"\xff" * 4 for point in inputs)
        body += compact_size(len(paid))
        body += b"".join(amount.to_bytes(8, "little") + var_bytes(script) for script, amount in paid)
        witness = b"".join(compact_size(1) + var_bytes(b"w" * 300) for _ in inputs)
        lock = salt.to_bytes(4, "little")
        self.txid = double_sha256(b"\x02\0\0\0" + body + lock)
        reward = b"\x01\0\0\0\x01" + bytes(36) + b"\x00" + b"\xff" * 4 + b"\x00" + lock
        header = b"\x01\0\0\0" + previous + hashlib.sha256(lock).digest() + bytes(12)
        self.hash = double_sha256(header)
        self.raw = header + b"\x02" + reward + b"\x02\0\0\0\x00\x01" + body + witness + lock
        ALL_BLOCKS.append(self)

    @property
    def id(self) -> str:
        return self.hash[::-1].hex()


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(["grow", "grow", "fork", "look", "watch", "unwatch", "wallet"]), max_size=40),
)
def test_follower_against_brute_force(seed: int, moves: list[str]) -> None:
    asyncio.run(_play(random.Random(seed), moves))


async def _play(dice: random.Random, moves: list[str]) -> None:
    ALL_BLOCKS.clear()
    chain = MadeUp(dice)
    for _ in range(dice.randint(1, 8)):
        chain.grow()
    network = replace(NETWORK, genesis=chain.blocks[0].id)
    follower = Follower("bitcoin", network, Node("bitcoin", chain), 1)  # type: ignore[arg-type]
    watched: dict[bytes, int] = {}
    legs: dict[bytes, WatchedLeg] = {}
    for move in [*moves, "watch", "wallet", "look"]:
        if move == "grow":
            chain.grow()
        elif move == "fork":
            chain.fork(dice.randint(1, 4))
            for _ in range(dice.randint(1, 5)):
                chain.grow()
        elif move == "watch" and len(watched) < len(LEGS):
            script = next(one for one in LEGS if one not in watched)
            watched[script] = dice.randint(0, len(chain.blocks) - 1)
            legs[script] = _leg(script)
            await follower.watch(script, watched[script])
        elif move == "unwatch" and watched:
            script = dice.choice(sorted(watched))
            del watched[script], legs[script]
            await follower.unwatch(script)
        elif move == "wallet":
            follower.watch_wallet(WALLET)
            await follower.advance_coins()
            _compare(follower, chain, watched, wallet=True)
        if move in ("look", "watch"):
            await follower.advance()
            _compare(follower, chain, watched, wallet=False)
            for script, leg in legs.items():
                seen = leg.facts(follower.ledger, follower.mempool)
                assert seen == _leg(script).facts(follower.ledger, follower.mempool)
                assert seen.held == sum(one.amount for one in follower.ledger.coins(script))
                assert seen is leg.facts(follower.ledger, follower.mempool)


def _leg(script: bytes) -> WatchedLeg:
    """A leg at a script that is nobody's: no path fits what spends it."""
    return WatchedLeg(Leg("bitcoin", NATIVE, 500, bytes(32), ()), Contract(b"", "", script, {}))


def _compare(follower: Follower, chain: MadeUp, watched: dict[bytes, int], wallet: bool) -> None:
    ledger = follower.ledger
    assert ledger.hash(ledger.tip) == chain.blocks[-1].id
    assert ledger.tip == len(chain.blocks) - 1
    coins = chain.coins()
    for script, since in watched.items():
        paid = [
            (block.txid + index.to_bytes(4, "little"), amount, height)
            for height, block in enumerate(chain.blocks)
            for index, (to, amount) in enumerate(block.paid)
            if to == script and height >= since
        ]
        seen = {(one.outpoint, one.amount, one.height) for one in ledger.receipts(script) if one.height >= since}
        assert seen == set(paid)
        for point, _, _ in paid:
            payment = ledger.payment(point)
            spent_in = [height for height, block in enumerate(chain.blocks) if point in block.spent]
            assert ([payment.height] if payment else []) == spent_in
            if payment:
                assert payment.witness == (b"w" * 300,)
                assert payment.txid == chain.blocks[payment.height].txid[::-1].hex()
    if wallet:
        mine = {point for point, (script, _, _) in coins.items() if script in WALLET}
        assert {coin.outpoint for script in WALLET for coin in ledger.coins(script)} == mine


@given(st.integers(0, 2**32))
def test_blocks_are_read_in_one_pass(seed: int) -> None:
    chain = MadeUp(random.Random(seed))
    for _ in range(12):
        chain.grow()
    for height, block in enumerate(chain.blocks):
        facts = read_block(block.raw, height, set(SCRIPTS), set(block.spent))
        assert facts.hash == block.id
        assert [(one.script, one.amount) for one in facts.receipts] == block.paid
        assert [one.outpoint for one in facts.payments] == block.spent
        assert not read_block(block.raw, height, set(), set()).receipts


def test_litecoin_s_extension_block_is_stepped_over() -> None:
    """The last transaction of such a block has flag 8, an empty extension part, and pays what leaves the extension
    block (LIP-0002); the extension block itself follows. Its coins mature after six blocks."""
    script = SCRIPTS[0]
    reward = (
        b"\x01\0\0\0\x01" + bytes(36) + b"\x00" + b"\xff" * 4 + b"\x01" + bytes(8) + var_bytes(script) + bytes(4)
    )
    body = b"\x01" + b"\x07" * 36 + b"\x00" + b"\xff" * 4
    body += b"\x02" + (5).to_bytes(8, "little") + var_bytes(b"\x58\x20" + bytes(32))
    body += (9).to_bytes(8, "little") + var_bytes(script)
    last = b"\x02\0\0\0\x00\x08" + body + b"\x00" + bytes(4)
    raw = bytes(80) + b"\x02" + reward + last + b"\x01" + bytes(500)
    first, second = read_block(raw, 3, {script}, set()).receipts
    assert (first.amount, first.maturity) == (0, 100)
    assert (second.amount, second.maturity) == (9, 6)
    assert second.outpoint[:32] == double_sha256(b"\x02\0\0\0" + body + bytes(4))


def test_the_first_block_of_bitcoin() -> None:
    """Nothing in it is of our making: version 1, no witness, an output to a bare key."""
    key = (
        "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
        "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
    )
    text = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
    script = b"\x41" + bytes.fromhex(key) + b"\xac"
    merkle = bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")[::-1]
    header = (1).to_bytes(4, "little") + bytes(32) + merkle + bytes.fromhex("29ab5f49ffff001d1dac2b7c")
    coinbase = var_bytes(bytes.fromhex("04ffff001d0104") + var_bytes(text))
    raw = header + b"\x01" + b"\x01\0\0\0\x01" + bytes(32) + b"\xff" * 4 + coinbase + b"\xff" * 4
    raw += b"\x01" + (50 * COIN).to_bytes(8, "little") + var_bytes(script) + bytes(4)
    facts = read_block(raw, 0, {script}, set())
    (receipt,) = facts.receipts
    assert facts.hash == NETWORKS["bitcoin", "mainnet"].genesis
    assert receipt.outpoint == merkle + bytes(4)
    assert (receipt.amount, receipt.maturity) == (50 * COIN, 100)
