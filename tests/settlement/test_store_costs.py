"""What a look and a signature cost a shared database, in statements: each is a round trip to the server."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import event

from chains.port import TxPhase, TxState
from htlc.ports import FUND
from htlc.protocols.base import Will
from settlement.store import Store, journal
from settlement.store.connection import QuickConnection
from tests.settlement.samples import AT, deal, tx
from tests.settlement.test_store_messages import LANE

pytestmark = pytest.mark.node

DEALS = 40


@contextlib.contextmanager
def counted(store: Store):
    """The statements that a store sends, transactions' ends included."""
    said: list[str] = []
    engine = store._database._engine.sync_engine

    def execute(_connection, _cursor, statement, *_):
        said.append(statement)

    def ended(connection):
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            said.extend(("BEGIN", "COMMIT"))

    event.listen(engine, "before_cursor_execute", execute)
    event.listen(engine, "commit", ended)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", execute)
        event.remove(engine, "commit", ended)


async def test_a_look_costs_three_statements_however_many_deals_there_are(postgres_url):
    async with await Store.open(postgres_url, drive=True) as store:
        for number in range(DEALS):
            await store.add(deal(number))
            await store.sign(deal(number).id, "x", FUND, tx(number), AT)
        await store.deals()
        await store.unsettled()
        with counted(store) as said:
            assert len(await store.deals()) == DEALS
            assert len(await store.unsettled()) == DEALS
        assert len(said) == 3, said
        for one in await store.deals():
            await store.intents(one.id)
        with counted(store) as said:
            for one in await store.deals():
                await store.intents(one.id)
        assert len(said) == 2, said


async def test_a_signature_costs_eight_statements_and_its_end_six(postgres_url):
    async with await Store.open(postgres_url, drive=True) as store:
        await store.add(deal())
        async with store.turn("bitcoin"):
            await store.sign(deal().id, "x", FUND, tx(0), AT)
        with counted(store) as said:
            async with store.turn("bitcoin"):
                intent = await store.sign(deal().id, "x", FUND, tx(1), AT)
        assert len(said) <= 8, said
        with counted(store) as said:
            await store.settle(intent.number, TxState(TxPhase.MINED, 100))
        assert len(said) <= 6, said


async def test_a_delivery_costs_a_server_seven_statements_and_a_file_no_lease(postgres_url, database):
    costs = []
    for url in (postgres_url, str(database)):
        async with await Store.open(url, drive=True) as store:
            await store.messages.share([LANE.id])
            async with store.messages.turn("bitcoin"):
                await store.messages.push(LANE.id, 0, 1, tx(0), 0, AT)
            with counted(store) as said:
                async with store.messages.turn("bitcoin") as moved:
                    await store.messages.push(LANE.id, 1, 2, tx(1), 0, AT)
            assert not moved
            costs.append(said)
    server, file = costs
    assert len(server) <= 7, server
    assert not [one for one in file if "leases" in one or "lineages" in one], file


async def test_only_what_may_wait_for_a_file_goes_to_its_thread(database, monkeypatch):
    """The begin and the end of a transaction that writes: the one for another process, the other for the disk."""
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal())
        await store.open_deals()
        trips = []
        through_thread = QuickConnection._execute

        async def counted(self, work, *args, **kwargs):
            trips.append(work)
            return await through_thread(self, work, *args, **kwargs)

        monkeypatch.setattr(QuickConnection, "_execute", counted)
        assert len(await store.open_deals()) == 1
        assert len(await store.history()) == 1
        assert trips == []
        await store.resolve(deal().id, Will(exercise=True))
        assert len(trips) == 2


async def test_a_page_of_others_deals_is_read_again_only_where_something_changed(database, monkeypatch):
    async with await Store.open(str(database), drive=True) as store, await Store.open(str(database)) as reader:
        for number in range(3):
            await store.add(deal(number))
        asked = []
        load = journal.load

        def noted(connection, ids):
            asked.append(list(ids))
            return load(connection, ids)

        monkeypatch.setattr(journal, "load", noted)
        first = await reader.open_page(2)
        assert await reader.open_page(2) == first
        assert len(asked) == 1
        await store.resolve(first[1].id, Will(exercise=True))
        again = await reader.open_page(2)
        assert again[0] is first[0]
        assert again[1].will.exercise
        assert asked[1:] == [[first[1].id]]
