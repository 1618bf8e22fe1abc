"""The journal gives back what it was told, also to another process's store and after a restart."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from chains.port import TxPhase, TxState
from htlc.errors import HashReused, NoSuchDeal
from htlc.ports import FUND, Journal
from htlc.protocols.base import Vow, Will
from settlement.errors import NonceReused
from settlement.store import Store
from settlement.store.errors import DamagedRecord, DealExists, NoSuchIntent, NotDriving
from tests.settlement.samples import AT, deal, digest, terms, tx

DONE = TxState(TxPhase.MINED, 100, True, 10**19, 140)


def is_a_journal(store: Store) -> Journal:
    return store  # mypy proves it


async def reopened(store: Store, url: str) -> Store:
    await store.aclose()
    return await Store.open(url, drive=True)


async def test_a_deal_survives_with_all_that_hangs_on_it(store, url):
    agreed = deal()
    secret = b"\x07" * 32
    value = hashlib.sha256(secret).digest()
    await store.add(agreed)
    await store.resolve(agreed.id, Will(exercise=True))
    await store.swear(agreed.id, Vow.NEVER_FUND)
    await store.give_consent(agreed.id, "x", "release", "mine")
    await store.hold_consent(agreed.id, "y", "release", "theirs")
    await store.learn(agreed.id, {value: secret})
    expected = dataclasses.replace(
        agreed,
        will=Will(exercise=True),
        vows=frozenset({Vow.NEVER_FUND}),
        consents_given={("x", "release"): "mine"},
        consents_held={("y", "release"): "theirs"},
        preimages={value: secret},
    )
    assert await store.deal(agreed.id) == expected
    async with await reopened(store, url) as again:
        assert await again.deals() == (expected,)
        assert await again.preimage(value) == secret
        assert await again.preimage(digest("unseen")) is None
        assert not again.restored


async def test_deals_sees_every_change_and_only_open_deals(store):
    one, two = deal(1), deal(2)
    await store.add(one)
    await store.add(two)
    assert await store.deals() == (one, two)
    await store.resolve(two.id, Will(stop=True))
    await store.learn(one.id, {hashlib.sha256(b"a" * 32).digest(): b"a" * 32})
    first, second = await store.deals()
    assert first.preimages
    assert second.will.stop
    await store.close(one.id, "swapped", AT)
    assert [open_.id for open_ in await store.deals()] == [two.id]
    assert (await store.deal(one.id)).outcome == "swapped"
    assert [known.id for known in await store.history()] == [two.id, one.id]
    assert [known.id for known in await store.history(limit=1, offset=1)] == [one.id]


async def test_intents_keep_their_order_until_they_are_settled(store, url):
    agreed = deal()
    await store.add(agreed)
    first = await store.sign(agreed.id, "x", FUND, tx(1), AT)
    second = await store.sign(agreed.id, "x", FUND, tx(2), AT + 1)
    assert first.number < second.number
    assert first.tx == tx(1)
    assert await store.unsettled() == (first, second)
    await store.settle(first.number, DONE)
    assert await store.unsettled() == (second,)
    settled = dataclasses.replace(first, final=DONE)
    assert await store.intents(agreed.id) == (settled, second)
    async with await reopened(store, url) as again:
        assert await again.unsettled() == (second,)
        assert await again.intents(agreed.id) == (settled, second)


async def test_storing_the_same_twice_changes_nothing(store):
    agreed = deal()
    await store.add(agreed)
    first = await store.sign(agreed.id, "x", FUND, tx(1), AT)
    assert await store.sign(agreed.id, "x", FUND, tx(1), AT + 5) == first
    for _ in range(2):
        await store.swear(agreed.id, Vow.NEVER_REVEAL)
        await store.give_consent(agreed.id, "x", "release", "mine")
    assert len(await store.unsettled()) == 1
    with pytest.raises(HashReused):  # the same terms again: their hashes are used
        await store.add(dataclasses.replace(agreed, id="0" * 32))
    assert len(await store.history()) == 1


async def test_used_hashes_and_nonces_are_refused_and_nothing_is_stored(store):
    await store.add(deal(1))
    base = terms(2)
    initiator = base.parties["initiator"]
    for error, party in (
        (HashReused, dataclasses.replace(initiator, hashes={"s": digest(1, "s")})),
        (NonceReused, dataclasses.replace(initiator, nonce=digest(1, "p")[:16])),
    ):
        again = dataclasses.replace(base, parties={**base.parties, "initiator": party})
        with pytest.raises(error):
            await store.add(dataclasses.replace(deal(2), id=again.id, terms=again))
    assert [known.id for known in await store.history()] == [deal(1).id]
    await store.add(deal(2))  # what was refused has used nothing up


async def test_what_does_not_exist_has_its_own_error(store):
    with pytest.raises(NoSuchDeal):
        await store.deal("0" * 32)
    for call in (
        store.sign("0" * 32, "x", FUND, tx(1), AT),
        store.learn("0" * 32, {}),
        store.swear("0" * 32, Vow.NEVER_FUND),
        store.give_consent("0" * 32, "x", "release", "c"),
        store.hold_consent("0" * 32, "x", "release", "c"),
        store.resolve("0" * 32, Will()),
        store.close("0" * 32, "swapped", AT),
    ):
        with pytest.raises(NoSuchDeal):
            await call
    with pytest.raises(NoSuchIntent):
        await store.settle(7, DONE)


async def test_wrong_records_are_refused(store):
    agreed = deal()
    with pytest.raises(DamagedRecord):
        await store.add(dataclasses.replace(agreed, id="0" * 32))
    await store.add(agreed)
    with pytest.raises(DamagedRecord):
        await store.learn(agreed.id, {digest(1): b"\x01" * 32})
    with pytest.raises(DealExists):
        await store._write(
            lambda connection: __import__("settlement.store.journal").store.journal.insert_deal(connection, agreed)
        )
    assert await store.deals() == (agreed,)


async def test_a_second_process_writes_wills_but_never_signs(store, url):
    agreed = deal()
    await store.add(agreed)
    assert await store.deals() == (agreed,)
    async with await Store.open(url) as other:
        assert not other.driving
        await other.resolve(agreed.id, Will(exercise=True))
        for call in (
            other.sign(agreed.id, "x", FUND, tx(1), AT),
            other.swear(agreed.id, Vow.NEVER_FUND),
            other.give_consent(agreed.id, "x", "release", "c"),
        ):
            with pytest.raises(NotDriving):
                await call
    (seen,) = await store.deals()
    assert seen.will.exercise
    assert not seen.vows


async def test_many_tasks_write_at_once(store, url):
    async with await Store.open(url) as other:
        agreed = [deal(number) for number in range(20)]
        await asyncio.gather(*(([store, other][number % 2]).add(one) for number, one in enumerate(agreed)))
        await store.deals()  # takes on what the other added
        await asyncio.gather(
            *(store.sign(one.id, "x", FUND, tx(number), AT) for number, one in enumerate(agreed)),
            *(other.resolve(one.id, Will(stop=True)) for one in agreed),
            *(store.deals() for _ in range(5)),
        )
    assert {one.id for one in await store.deals()} == {one.id for one in agreed}
    assert all(one.will.stop for one in await store.deals())
    assert len(await store.unsettled()) == 20


async def test_a_cancelled_call_is_whole_or_nothing_and_the_store_goes_on(store):
    agreed = deal()
    await store.add(agreed)
    for number in range(30):
        task = asyncio.create_task(store.sign(agreed.id, "x", FUND, tx(number), AT))
        for _ in range(number % 10):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    last = await store.sign(agreed.id, "x", FUND, tx(99), AT)
    intents = await store.unsettled()
    assert intents[-1] == last
    assert all(intent.tx in [tx(number) for number in [*range(30), 99]] for intent in intents)


async def test_copies_in_memory_never_differ_from_the_disk(store, url):
    """Whatever is written, and however reads and writes overlap, the driver sees what another process would."""
    agreed = [deal(number) for number in range(3)]
    for one in agreed:
        await store.add(one)
    async with await Store.open(url) as other:
        for number in range(12):
            one = agreed[number % 3]
            await store.deals()
            reads = [asyncio.create_task(store.intents(one.id)), asyncio.create_task(store.unsettled())]
            intent = await store.sign(one.id, "x", FUND, tx(number), AT)
            if number % 2:
                settling = asyncio.create_task(store.settle(intent.number, DONE))
                await asyncio.sleep(0)
                settling.cancel()  # nobody waits for it, and it is done all the same
            await asyncio.gather(*reads)
            if number % 3 == 2:
                with pytest.raises(NoSuchIntent):
                    await store.settle(10_000, DONE)
            await store.resolve(one.id, Will(stop=bool(number % 2)))
            assert await store.deals() == await other.deals()
            assert await store.unsettled() == await other.unsettled()
            for known in agreed:
                assert await store.intents(known.id) == await other.intents(known.id)
                assert await store.intents(known.id) == await store.intents(known.id)
