"""The contract and its slow twin judge the same batches alike: random forks, targets, times and faults."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.feeding import Batch
from chains.bitcoin.headers import EPOCH, Anchor, BadHeader, HeaderRules, HeaderTree, previous_of, time_of
from chains.bitcoin.mining import mine
from chains.bitcoin.params import MAX_FUTURE, MEDIAN_SPAN
from chains.errors import WouldFail
from chains.evm.light_client import LightClient, submit_calldata
from chains.testing.anvil import Anvil
from tests.chains.light_client_world import Eth, eth

pytestmark = pytest.mark.node

EASY, HARDER = 0x207FFFFF, 0x203FFFFF
HEIGHT = EPOCH * 50 - 9  # a retarget comes after a batch or two
ROUNDS = 60
NETWORKS = {
    "plain": HeaderRules(EASY),
    "testnet": HeaderRules(EASY, min_difficulty=True),
    "testnet4": HeaderRules(EASY, max_warp=600, from_first=True, min_difficulty=True),
    "regtest": HeaderRules(EASY, min_difficulty=True, no_retarget=True),
}
# What is done to the last header of a batch; as often nothing.
FAULTS = ("work", "bits", "link", "median", "future", "warp", "context", *[""] * 7)


@dataclass
class Play:
    """Batches at random, each brought to both. headers: by hash, all that were ever made."""

    chance: random.Random
    chain: Eth
    client: LightClient
    twin: HeaderTree
    headers: dict[bytes, bytes]
    ends: list[bytes]
    now: int

    @classmethod
    async def begin(cls, node: Anvil, chain: Eth, rules: HeaderRules, seed: int) -> Play:
        now = max(int(time.time()), await node.clock())
        start = now - 30 * 86_400
        made: list[bytes] = []
        for at in range(MEDIAN_SPAN):
            made.append(mine(double_sha256(made[-1]) if made else bytes(32), bytes(32), start + 600 * at, HARDER))
        anchor = Anchor(made[-1], HEIGHT, 77, start - EPOCH * 300, HARDER)
        client = await chain.light_client(rules, anchor)
        headers = {double_sha256(one): one for one in made}
        end = double_sha256(made[-1])
        return cls(random.Random(seed), chain, client, HeaderTree(rules, anchor, made[:-1]), headers, [end], now)

    async def round(self) -> str:
        """One batch; the rule that refused it, empty where none did."""
        parent = self.chance.choice(self.ends[-3:])
        fault = self.chance.choice(FAULTS)
        batch = self.batch(parent, fault)
        known = self.before(parent)[fault == "context" :]
        judged = "BadContext" if fault == "context" else self.judge(batch)
        assert await self.bring(known, batch) == judged, fault
        found = await self.client.tip()
        assert (found.hash, found.height, found.work) == (self.twin.tip, self.twin.height, self.twin.work)
        if not judged:
            self.ends.append(double_sha256(batch[-1]))
        return judged

    def judge(self, batch: list[bytes]) -> str:
        try:
            self.twin.submit(batch, self.now)
        except BadHeader as error:
            return "Unlinked" if error.rule == "UnknownParent" else error.rule
        return ""

    async def bring(self, known: list[bytes], batch: list[bytes]) -> str:
        made = Batch(len(known), b"".join([*known, *batch]), double_sha256(batch[-1]), 0)
        try:
            await self.chain.send(self.client.address, submit_calldata(made))
        except WouldFail as refused:
            return refused.reason.partition("(")[0]
        return ""

    # --- batches

    def batch(self, parent: bytes, fault: str) -> list[bytes]:
        """One to eight headers, of which only the last may be bad."""
        tree = HeaderTree(self.twin.rules, self.twin.anchor, self.twin.before)
        tree.submit(self.since_anchor(parent), self.now)
        made: list[bytes] = []
        count = self.chance.randint(1, 8)
        while len(made) < count:
            last = len(made) == count - 1
            header = self.header(tree, parent, fault if last else "")
            made.append(header)
            parent = double_sha256(header)
            self.headers[parent] = header
            try:
                tree.submit([header], self.now)
            except BadHeader:
                break
        return made

    def header(self, tree: HeaderTree, parent: bytes, fault: str) -> bytes:
        times = [time_of(header) for header in self.before(parent)]
        median = sorted(times)[len(times) // 2]
        stamp = max(median + 1, times[-1] + self.chance.choice((-700, -300, 0, 1, 600, 1200, 1201)))
        if fault == "median":
            stamp = median - self.chance.randint(0, 1)
        elif fault == "future":
            stamp = self.now + MAX_FUTURE + 120
        elif fault == "warp":
            stamp = times[-1] - self.chance.randint(600, 602)
        bits = tree.expected_bits(parent, stamp)
        if fault == "bits":
            bits = EASY if bits != EASY else HARDER
        previous = self.chance.randbytes(32) if fault == "link" else parent
        header = mine(previous, self.chance.randbytes(32), stamp, bits)
        nonce = 0
        while fault == "work" and int.from_bytes(double_sha256(header), "little") <= 2**255:
            header = header[:76] + nonce.to_bytes(4, "little")
            nonce += 1
        return header

    def before(self, block: bytes) -> list[bytes]:
        """The header and the ten before it, in order."""
        found = [self.headers[block]]
        while len(found) < MEDIAN_SPAN:
            found.append(self.headers[previous_of(found[-1])])
        return found[::-1]

    def since_anchor(self, block: bytes) -> list[bytes]:
        found: list[bytes] = []
        while block != double_sha256(self.twin.anchor.header):
            found.append(self.headers[block])
            block = previous_of(found[-1])
        return found[::-1]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("network", NETWORKS)
async def test_contract_and_twin_agree(anvil: Anvil, network: str, seed: int) -> None:
    async with eth(anvil) as chain:
        play = await Play.begin(anvil, chain, NETWORKS[network], seed)
        verdicts = Counter([await play.round() for _ in range(ROUNDS)])
    refused = {"InsufficientWork", "WrongTarget", "Unlinked", "NotAfterMedian", "TooFarAhead", "BadContext"}
    assert refused <= set(verdicts)  # each was tried
    assert verdicts[""] > ROUNDS // 4
    assert play.twin.height > HEIGHT + 20  # beyond the retarget
