"""The follower against a brute-force reading of the best chain: deposits, spends, reorganisations, absences."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import RpcError
from chains.evm import balances, follower
from chains.evm.follower import Follower, Sighting
from chains.evm.vaults import Spent
from chains.legs import NATIVE, Leg, Path
from chains.port import LegFacts, Spend

AMOUNT = 100
VAULTS = ["0x" + f"{n:040x}" for n in (0xAAAA1, 0xAAAA2)]
PATHS = (Path("claim", "0x" + "11" * 20), Path("refund", "0x" + "22" * 20))


@dataclass
class Block:
    height: int
    hash: str
    parent: str
    held: dict[str, int]  # at its end
    spends: list[Spent]


@dataclass
class Node:
    """A chain in memory that answers what the follower asks. horizon: blocks whose state is served."""

    horizon: int = 10**9
    name: str = "evm"
    best: list[Block] = field(default_factory=list)
    all: dict[str, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add(dict.fromkeys(VAULTS, 0), [])

    def _add(self, held: dict[str, int], spends: list[Spent]) -> None:
        block_hash = "0x" + hashlib.sha256(f"{len(self.all)}".encode()).hexdigest()
        parent = self.best[-1].hash if self.best else "0x" + "00" * 32
        self.best.append(Block(len(self.best), block_hash, parent, held, spends))
        self.all[block_hash] = self.best[-1]

    def mine(self, deposits: dict[int, int], spent: dict[int, int]) -> None:
        """deposits: units by vault; spent: path by vault, of everything that is there."""
        held, spends = dict(self.best[-1].held), []
        for which, units in deposits.items():
            held[VAULTS[which]] += units
        for which, path in spent.items():
            if held[VAULTS[which]]:
                spends.append(Spent(VAULTS[which], NATIVE, path, held[VAULTS[which]], ()))
                held[VAULTS[which]] = 0
        self._add(held, spends)

    def drop(self, depth: int) -> None:
        del self.best[max(1, len(self.best) - depth) :]

    async def call(self, method: str, *params: Any) -> Any:
        await asyncio.sleep(0)
        if method == "eth_getBlockByNumber":
            height = len(self.best) - 1 if params[0] == "latest" else int(params[0], 16)
            return self._json(self.best[height]) if height < len(self.best) else None
        if method == "eth_getBlockByHash":
            return self._json(self.all[params[0]]) if params[0] in self.all else None
        if method == "eth_getLogs":
            return self._logs(params[0])
        assert method == "eth_call"
        return self._balances(params[0]["data"], params[1])

    def _json(self, block: Block) -> dict[str, Any]:
        return {
            "number": hex(block.height),
            "hash": block.hash,
            "parentHash": block.parent,
            "timestamp": hex(1000 + block.height),
        }

    def _logs(self, query: dict[str, str]) -> list[Any]:
        if "blockHash" in query:
            blocks = [self.all[query["blockHash"]]]
        else:
            first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            if last - first > 6:
                raise RpcError(self.name, "eth_getLogs", -32000, "range too wide")
            blocks = self.best[first : last + 1]
        return [Sighting(b.height, f"{b.hash}/{n}", s) for b in blocks for n, s in enumerate(b.spends)]

    def _balances(self, data: str, at: Any) -> str:
        block = self.all[at["blockHash"]] if isinstance(at, dict) else self.best[int(at, 16)]
        if block.height <= len(self.best) - 1 - self.horizon:
            raise RpcError(self.name, "eth_call", -32000, "missing trie node")
        words = bytes.fromhex(data[2:])[len(balances._CODE) :]
        holders = ["0x" + words[at + 44 : at + 64].hex() for at in range(0, len(words), 64)]
        return "0x" + "".join(f"{value:064x}" for value in [0, *(block.held[holder] for holder in holders)])

    def facts(self, vault: str) -> LegFacts:
        """By the definition: deposits are what is held and was spent."""
        tip, spent, first, spends = len(self.best) - 1, 0, None, []
        for block in self.best:
            mine = [(n, s) for n, s in enumerate(block.spends) if s.vault == vault]
            spent += sum(s.amount for _, s in mine)
            depth = tip - block.height + 1
            spends += [Spend(f"{block.hash}/{n}", PATHS[s.path].name, s.amount, (), depth) for n, s in mine]
            if block.held[vault] + spent < AMOUNT:
                first = None
            elif first is None:
                first = block.height
        full = None if first is None else tip - first + 1
        return LegFacts(full, self.best[-1].held[vault], tuple(spends))


mined = st.tuples(
    st.just("mine"),
    st.dictionaries(st.integers(0, 1), st.integers(1, 120), max_size=2),
    st.dictionaries(st.integers(0, 1), st.integers(0, 1), max_size=2),
)
steps = st.lists(
    st.one_of(
        mined,
        mined,
        mined,
        st.tuples(st.just("drop"), st.integers(1, 8)),
        st.tuples(st.just("look")),
        st.tuples(st.just("look")),
        st.tuples(st.just("watch")),
        st.tuples(st.just("restart")),
    ),
    min_size=20,
    max_size=60,
)
many = settings(max_examples=60)


async def run(node: Node, moves: list[tuple[Any, ...]], exact: bool) -> None:
    ours = Follower(node, "0xfac", 50)  # type: ignore[arg-type]
    ours.watch(Leg("evm", NATIVE, AMOUNT, bytes(32), PATHS), VAULTS[0], 0)
    second = False
    for move in [*moves, ("watch",), ("look",)]:
        match move:
            case ("mine", deposits, spent):
                node.mine(deposits, spent)
            case ("drop", depth):
                node.drop(depth)
            case ("watch",) if not second:
                second = True
                ours.watch(Leg("evm", NATIVE, AMOUNT, bytes(32), PATHS), VAULTS[1], 0)
            case ("restart",):
                before = ours
                ours = Follower(node, "0xfac", 50)  # type: ignore[arg-type]
                for vault, one in before._watched.items():
                    ours.watch(one.history.leg, vault, 0)
            case ("look",):
                tip = await ours.advance()
                assert tip.hash == node.best[-1].hash
                for vault, facts in ours.facts().items():
                    compare(facts, node.facts(vault), exact)
                assert len(ours.facts()) == 1 + second


def compare(found: LegFacts, true: LegFacts, exact: bool) -> None:
    assert (found.held, found.spends) == (true.held, true.spends)
    if exact:
        assert found.full == true.full
    else:  # never deeper than it is, never full when it is not, never missed
        assert (found.full is None) == (true.full is None)
        assert (found.full or 0) <= (true.full or 0)


@pytest.fixture(autouse=True)
def sightings_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_sightings", list)


@pytest.mark.parametrize("gap", [100, 3])
@many
@given(moves=steps)
def test_facts_are_those_of_the_best_chain(gap: int, moves: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follower, "MAX_GAP", gap)
        asyncio.run(run(Node(), moves, exact=True))


@pytest.mark.parametrize("horizon", [1, 2, 5])
@many
@given(moves=steps)
def test_on_a_pruned_node_a_leg_is_never_deeper_than_it_is(horizon: int, moves: list[tuple[Any, ...]]) -> None:
    asyncio.run(run(Node(horizon), moves, exact=False))


@many
@given(moves=steps)
def test_headers_kept_may_be_few(moves: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follower, "KEPT", 4)
        asyncio.run(run(Node(), moves, exact=True))
