"""What a relayer and a validator keep survives, and what must never be stored twice is not."""

from __future__ import annotations

import pytest

from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.tree import CHUNK
from chains.port import TxPhase, TxState
from settlement.spans import Spans
from settlement.store import Store
from settlement.store.errors import AlreadyVoted, NotDriving
from settlement.store.messages import Evidence, Proved, Vote
from tests.settlement.samples import AT, tx

LANE = Lane(1, "0x" + "11" * 20, 2, "0x" + "22" * 20)
OTHER = Lane(1, "0x" + "11" * 20, 3, "0x" + "22" * 20)


@pytest.fixture
async def store(store):
    """One that carries a lane."""
    await store.messages.share([LANE.id])
    return store


def message(index: int, lane: Lane = LANE) -> Message:
    return Message(lane, index, "0x" + "33" * 20, "0x" + "44" * 20, 2**21, index.to_bytes(2, "big"))


async def test_messages_come_back_as_they_were(store):
    found = [(100 + n, message(n)) for n in range(CHUNK + 3)]
    await store.messages.add(LANE.id, found, {0: b"\x07" * 32}, "search", Spans([(0, 500)]))
    await store.messages.add(LANE.id, found[:5], {}, "search", Spans([(0, 500)]))  # once more
    assert await store.messages.count(LANE.id) == CHUNK + 3
    assert await store.messages.count(OTHER.id) == 0
    assert await store.messages.messages(LANE, 7, 9) == (message(7), message(8))
    assert await store.messages.ids(LANE.id, 1) == tuple(message(n).id for n in range(CHUNK, CHUNK + 3))
    assert await store.messages.chunk_roots(LANE.id) == (b"\x07" * 32,)
    assert await store.messages.find(message(9).id) == (LANE.id, 9, 109)
    assert await store.messages.find(b"\x01" * 32) is None
    assert await store.messages.spans("search") == Spans([(0, 500)])


async def test_lanes_are_paused_and_halted(store):
    await store.messages.open_lane(LANE, "there")
    await store.messages.open_lane(LANE, "there")
    await store.messages.pause(LANE.id, True)
    await store.messages.halt(LANE.id, "first")
    await store.messages.halt(LANE.id, "second")
    note = (await store.messages.notes())[LANE.id]
    assert (note.name, note.paused, note.halted) == ("there", True, "first")
    await store.messages.halt(LANE.id, None)
    assert (await store.messages.notes())[LANE.id].halted is None


async def test_the_highest_checkpoint_counts(store):
    for count in (5, 9, 7):
        await store.messages.prove(LANE.id, Proved(count, 1, bytes([count]) * 32, b"s" * 192))
    assert await store.messages.proved(LANE.id) == Proved(9, 1, b"\x09" * 32, b"s" * 192)
    await store.messages.unprove(LANE.id, 9)
    assert (await store.messages.proved(LANE.id)).count == 7
    assert await store.messages.proved(OTHER.id) is None


async def test_deliveries_fly_until_the_chain_has_its_last_word(store):
    pushed = await store.messages.push(LANE.id, 3, 8, tx(1), since=50, at=AT)
    assert await store.messages.flying() == (pushed,)
    await store.messages.settle(pushed, TxState(TxPhase.MINED, 5, fee=2**70, size=900))
    assert await store.messages.flying() == ()
    assert await store.messages.spent() == {"bitcoin": (1, 900, 2**70)}


async def test_what_went_out_and_what_is_held_back(store):
    await store.messages.hold_back(LANE.id, 4, AT + 100, "too much")
    await store.messages.hold_back(LANE.id, 4, AT + 900, "again")
    assert await store.messages.held_back(LANE.id) == {4: (AT + 100, "too much")}
    await store.messages.let_out(LANE.id, [(4, "TEST", 2**200), (5, "TEST", 7)], AT)
    await store.messages.let_out(LANE.id, [(5, "TEST", 7)], AT + 5)  # once more
    assert await store.messages.held_back(LANE.id) == {}
    assert await store.messages.outflow("TEST", AT) == 2**200 + 7
    assert await store.messages.outflow("TEST", AT + 1) == 0


async def test_one_root_for_each_count_for_ever(url):
    vote = Vote(5, 1, b"\x05" * 32, 100, "0x" + "ab" * 32, b"s" * 64)
    async with await Store.open(url, drive=True) as store:
        assert await store.messages.vote(LANE.id, vote) == vote
    async with await Store.open(url, drive=True) as store:
        again = Vote(5, 1, b"\x05" * 32, 101, "0x" + "cd" * 32, b"t" * 64)
        assert await store.messages.vote(LANE.id, again) == vote  # the first stands
        next_set = Vote(5, 2, b"\x05" * 32, 102, "0x" + "ef" * 32, b"u" * 64)
        assert await store.messages.vote(LANE.id, next_set) == next_set  # the same root, as members of another set
        assert await store.messages.voted(LANE.id, 5, 1) == vote
        for other in (Vote(5, 1, b"\x06" * 32, 100, "0x", b""), Vote(5, 3, b"\x06" * 32, 100, "0x", b"")):
            with pytest.raises(AlreadyVoted):
                await store.messages.vote(LANE.id, other)
        await store.messages.vote(OTHER.id, Vote(5, 1, b"\x06" * 32, 1, "0x", b""))
        assert await store.messages.last_vote(LANE.id) == next_set


async def test_only_a_driver_signs(url):
    async with await Store.open(url) as store:
        with pytest.raises(NotDriving):
            await store.messages.vote(LANE.id, Vote(5, 1, b"\x05" * 32, 1, "0x", b""))
        with pytest.raises(NotDriving):
            await store.messages.push(LANE.id, 0, 1, tx(1), 0, AT)


async def test_the_first_wrong_stays_on_record(store):
    lie = Evidence(LANE.id, "0x" + "55" * 20, 4, "lie", "root ab", AT)
    await store.messages.accuse(lie)
    await store.messages.accuse(Evidence(LANE.id, lie.signer, 9, "equivocation", "x", AT + 1))
    assert await store.messages.accused(LANE.id) == (lie,)
    assert await store.messages.accused(OTHER.id) == ()
