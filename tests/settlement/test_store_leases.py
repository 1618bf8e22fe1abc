"""Several processes on one database: what one holds, no other writes for, however their steps interleave."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from chains.port import TxPhase, TxState
from htlc.errors import Fenced, LineageBusy, LineageMoved
from htlc.ports import FUND
from htlc.protocols.base import Vow, Will
from settlement.spans import Spans
from settlement.store import Store, lineages
from settlement.store.errors import NotDriving, StoreUnavailable
from settlement.store.leases import LANE as LANES
from settlement.store.leases import SLACK
from settlement.store.messages import Evidence, Proved
from settlement.store.proofs import ProofRequest
from settlement.store.tables import daemons
from tests.settlement.samples import AT, deal, tx
from tests.settlement.test_store_messages import LANE, OTHER, message

pytestmark = pytest.mark.node

DONE = TxState(TxPhase.MINED, 100)


@contextlib.asynccontextmanager
async def drivers(url: str, number: int = 2, **options):
    """So many processes that drive, as far as the database can tell."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(await Store.open(url, drive=True, **options)) for _ in range(number)
        ]


async def silence(store: Store) -> None:
    """As if the process had been stopped for longer than its lease lasts."""
    store.leases._beating.cancel()
    await store._database.write(
        lambda connection: (
            connection.execute(update(daemons).where(daemons.c.id == store.leases.me).values(until=0)) and None
        )
    )


async def held(*stores: Store) -> list[set[str]]:
    return [{one.id for one in await store.deals()} for store in stores]


async def test_each_deal_is_held_by_one_process(postgres_url):
    async with drivers(postgres_url, 3) as stores:
        async with await Store.open(postgres_url) as cli:
            for number in range(30):
                await cli.add(deal(number))
            everything = {one.id for one in await cli.deals()}
        found = await asyncio.gather(*(store.deals() for store in stores))
        for _ in range(3):
            found = await held(*stores)
        assert set.union(*found) == everything
        assert sum(map(len, found)) == len(everything)
        assert max(map(len, found)) - min(map(len, found)) <= SLACK
        for store in stores:
            assert {one.id for one in await store.open_deals()} == everything


async def test_who_opens_a_deal_holds_it(postgres_url):
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        assert await held(two, one) == [set(), {deal(1).id}]
        await one.sign(deal(1).id, "x", FUND, tx(1), AT)


WRITES = {
    "sign": lambda store, id_: store.sign(id_, "x", FUND, tx(2), AT),
    "sign_together": lambda store, id_: store.sign_together(id_, "record", {"1/1": tx(2)}, AT),
    "settle": lambda store, id_: store.settle(store.signed, DONE),
    "learn": lambda store, id_: store.learn(id_, {__import__("hashlib").sha256(b"a" * 32).digest(): b"a" * 32}),
    "swear": lambda store, id_: store.swear(id_, Vow.NEVER_FUND),
    "give_consent": lambda store, id_: store.give_consent(id_, "x", "release", "c"),
    "close": lambda store, id_: store.close(id_, "swapped", AT),
}


@pytest.mark.parametrize("write", WRITES)
async def test_a_process_that_was_silent_for_too_long_writes_nothing_more(postgres_url, write):
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        id_ = deal(1).id
        one.signed = (await one.sign(id_, "x", FUND, tx(1), AT)).number
        await silence(one)
        assert await held(two) == [{id_}]
        before = await two.deal(id_), await two.intents(id_)
        for _ in range(2):
            with pytest.raises(Fenced):
                await WRITES[write](one, id_)
        assert (await two.deal(id_), await two.intents(id_)) == before
        assert await held(one) == [set()]
        two.signed = one.signed
        await WRITES[write](two, id_)


async def test_a_process_that_was_silent_and_missed_by_nobody_goes_on(postgres_url):
    async with drivers(postgres_url, 1) as (one,):
        await one.add(deal(1))
        await silence(one)
        await one.sign(deal(1).id, "x", FUND, tx(1), AT)
        assert await held(one) == [{deal(1).id}]


async def test_a_process_that_ends_lets_go_at_once(postgres_url):
    async with drivers(postgres_url, 1) as (two,):
        async with drivers(postgres_url, 1) as (one,):
            for number in range(5):
                await one.add(deal(number))
        assert len((await held(two))[0]) == 5


async def test_a_lease_that_came_back_is_another_one(postgres_url):
    """A pause so long that the deal went to another process, and back again to nobody."""
    async with drivers(postgres_url, 1) as (one,):
        await one.add(deal(1))
        await silence(one)
        async with drivers(postgres_url, 1) as (two,):
            assert await held(two) == [{deal(1).id}]
        with pytest.raises(Fenced):
            await one.sign(deal(1).id, "x", FUND, tx(1), AT)


async def test_deals_are_handed_over_to_who_comes_later(postgres_url):
    async with drivers(postgres_url, 1) as (one,):
        for number in range(12):
            await one.add(deal(number))
        await one.deals()
        async with drivers(postgres_url, 1) as (two,):
            for _ in range(3):
                mine, others = await held(one, two)
            assert mine.isdisjoint(others)
            assert len(mine | others) == 12
            assert abs(len(mine) - len(others)) <= SLACK


async def test_a_write_under_way_is_not_overtaken(postgres_url):
    """Others skip a lease that is being written under, and don't wait for it."""
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        await one.add(deal(2))
        await silence(one)
        async with one._database._engine.begin() as connection:
            await connection.run_sync(one.leases.check, "deal", deal(1).id)
            async with asyncio.timeout(5):
                assert await held(two) == [{deal(2).id}]
        assert await held(two) == [{deal(1).id, deal(2).id}]


async def test_wishes_and_messages_reach_who_holds_the_deal(postgres_url):
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        async with await Store.open(postgres_url) as cli:
            await cli.resolve(deal(1).id, Will(exercise=True))
            with pytest.raises(NotDriving):
                await cli.close(deal(1).id, "swapped", AT)
        await two.hold_consent(deal(1).id, "x", "release", "theirs")  # any process takes what counterparties send
        (found,) = await one.deals()
        assert found.will.exercise
        assert found.consents_held == {("x", "release"): "theirs"}


async def test_the_memory_of_one_process_never_differs_from_what_others_wrote(postgres_url):
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        for number in range(6):
            holder, other = (one, two) if number % 2 == 0 else (two, one)
            await holder.deals()
            intent = await holder.sign(deal(1).id, "x", FUND, tx(number), AT + number)
            await holder.settle(intent.number, DONE)
            await holder.sign(deal(1).id, "y", FUND, tx(100 + number), AT + number)
            await other.deals()
            assert await one.intents(deal(1).id) == await two.intents(deal(1).id)
            assert await one.unsettled() == await two.unsettled()
            await silence(holder)
            await other.leases._renew()
            assert await held(other) == [{deal(1).id}]
            assert await other.intents(deal(1).id) == await holder.intents(deal(1).id)


# --- turns -----------------------------------------------------------------------------------------------


async def test_one_process_at_a_time_signs_on_a_chain(postgres_url, monkeypatch):
    """What is signed in a turn knows everything that was stored before."""
    monkeypatch.setattr(lineages, "PATIENCE_SECONDS", 60.0)  # nobody looks again here, and the machine may be busy
    async with drivers(postgres_url, 3) as stores:
        for number, store in enumerate(stores):
            await store.add(deal(number))
        nonces = []

        async def sign(store: Store, id_: str) -> None:
            for _ in range(5):
                async with store.turn("bitcoin") as pending:
                    nonce = len(pending)
                    await asyncio.sleep(0.002)
                    await store.sign(id_, "x", FUND, tx(nonce), AT)
                    nonces.append(nonce)

        await asyncio.gather(*(sign(store, deal(number).id) for number, store in enumerate(stores)))
        assert sorted(nonces) == list(range(15))


async def test_a_turn_that_ran_out_stores_nothing(postgres_url, monkeypatch):
    """A process is stopped between reading what is pending and storing what it signed."""
    monkeypatch.setattr(lineages, "TURN_MS", -1)
    async with drivers(postgres_url) as (one, two):
        await one.add(deal(1))
        await two.add(deal(2))
        async with one.turn("bitcoin") as before:
            assert before == ()
            async with two.turn("bitcoin"):
                await two.sign(deal(2).id, "x", FUND, tx(2), AT)
            with pytest.raises(LineageMoved):
                await one.sign(deal(1).id, "x", FUND, tx(1), AT)
        async with one.turn("bitcoin") as pending:
            assert pending == (tx(2),)
            await one.sign(deal(1).id, "x", FUND, tx(1), AT)
        assert [intent.tx for intent in await two.unsettled()] == [tx(2), tx(1)]


async def test_who_waits_for_a_turn_in_vain_tries_again_later(postgres_url, monkeypatch):
    monkeypatch.setattr(lineages, "PATIENCE_SECONDS", 0.1)
    async with drivers(postgres_url) as (one, two):
        async with one.turn("bitcoin"):
            with pytest.raises(LineageBusy):
                async with two.turn("bitcoin"):
                    raise AssertionError("two turns at once")
            async with two.turn("evm"):
                pass
        async with two.turn("bitcoin"):
            pass


# --- lanes and feeds -------------------------------------------------------------------------------------

FEED, REQUEST = b"f" * 32, ProofRequest("btc", "ab" * 32, 0, asked_at=AT)
PROVED, LIE = Proved(1, 1, b"r" * 32, b"s" * 64), Evidence(LANE.id, "0x" + "55" * 20, 1, "lie", "root ab", AT)

CARRIED = {
    "push": lambda store: store.messages.push(LANE.id, 0, 1, tx(2), 0, AT),
    "push of a feed": lambda store: store.messages.push(FEED, 0, 0, tx(2), 0, AT),
    "settle": lambda store: store.messages.settle(store.pushed, DONE),
    "add": lambda store: store.messages.add(LANE.id, [(100, message(0))], {}, "searched", Spans([(0, 9)])),
    "search": lambda store: store.messages.add(LANE.id, [], {}, "searched", Spans([(0, 9)])),
    "forget": lambda store: store.messages.forget(LANE.id, 0, "searched", Spans()),
    "put_progress": lambda store: store.messages.put_progress(LANE.id, "settled", Spans([(0, 1)])),
    "prove": lambda store: store.messages.prove(LANE.id, PROVED),
    "unprove": lambda store: store.messages.unprove(LANE.id, 1),
    "let_out": lambda store: store.messages.let_out(LANE.id, [(0, "TEST", 7)], AT),
    "hold_back": lambda store: store.messages.hold_back(LANE.id, 0, AT, "too much"),
    "halt": lambda store: store.messages.halt(LANE.id, "contradicts itself"),
    "accuse": lambda store: store.messages.accuse(LIE),
    "finish": lambda store: store.proofs.finish(REQUEST, AT, FEED),
}


@pytest.mark.parametrize("write", CARRIED)
async def test_a_relayer_that_was_silent_for_too_long_writes_nothing_more(postgres_url, write):
    async with drivers(postgres_url, 1) as (one,):
        await one.messages.share([LANE.id, FEED])
        one.pushed = await one.messages.push(LANE.id, 0, 1, tx(1), 0, AT)
        await silence(one)
        async with drivers(postgres_url, 1) as (two,):
            await two.messages.share([LANE.id, FEED])
            assert [two.messages.lease(id_) for id_ in (LANE.id, FEED)] == [2, 2]
            for _ in range(2):
                with pytest.raises(Fenced):
                    await CARRIED[write](one)
            await one.messages.halt(LANE.id, None)  # an operator's wish is anybody's
            await one.messages.push(b"", 0, 0, tx(5), 0, AT)  # and so is a delivery of no lane
            two.pushed = one.pushed
            await CARRIED[write](two)


async def test_a_lane_that_came_back_is_carried_once_it_is_taken_up(postgres_url):
    async with drivers(postgres_url, 1) as (one,):
        await one.messages.share([LANE.id])
        await silence(one)
        async with drivers(postgres_url, 1) as (two,):
            await two.messages.share([LANE.id])
            await two.messages.push(LANE.id, 0, 1, tx(1), 0, AT)
        await one.messages.distribute([LANE.id])
        assert (one.messages.lease(LANE.id), one.messages.carries(LANE.id)) == (3, False)
        with pytest.raises(Fenced):  # what it was about to do it planned before
            await one.messages.push(LANE.id, 0, 1, tx(2), 0, AT)
        one.messages.take_up(LANE.id, 3)
        await one.messages.push(LANE.id, 1, 2, tx(2), 0, AT)


async def test_a_relayer_takes_no_lane_that_it_does_not_know(postgres_url):
    async with drivers(postgres_url, 1) as (one,):
        await one.messages.share([LANE.id])
        await one.leases.stop()
        await one.leases.start()
        await one.messages.share([OTHER.id])
        assert one.leases.names(LANES) == {OTHER.id.hex()}


async def test_who_signs_knows_whether_others_did(postgres_url, monkeypatch):
    async def sign(store: Store, number: int) -> bool:
        async with store.messages.turn("bitcoin") as moved:
            await store.messages.push(b"", 0, 0, tx(number), 0, AT)
        return moved

    async with drivers(postgres_url) as (one, two):
        found = [await sign(store, number) for number, store in enumerate((one, one, two, one, one))]
        assert found == [True, False, True, True, False]
        monkeypatch.setattr(lineages, "TURN_MS", -1)
        async with one.messages.turn("bitcoin"):
            await sign(two, 6)
            with pytest.raises(LineageMoved):
                await one.messages.push(b"", 0, 0, tx(7), 0, AT)
        assert [push.tx for push in await two.messages.flying()] == [tx(number) for number in (0, 1, 2, 3, 4, 6)]


# --- any order -------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["look", "sign", "settle", "swear", "sleep", "wake", "wish"])),
    min_size=4,
    max_size=25,
)


# Each example has a deal of its own, on the same database.
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_the_order_nothing_is_doubled(postgres_url, steps):
    """Two processes look, sign, fall asleep and wake up. A model says who may write: the one that looked last
    among those that found the deal free. Nothing else is ever stored."""
    async with drivers(postgres_url) as stores:
        agreed = replace(deal(repr(steps)))
        await stores[0].add(agreed)
        holder, asleep, believes = 0, {0: False, 1: False}, {0: True, 1: False}
        signed: list[int] = []
        for number, (who, step) in enumerate(steps):
            store = stores[who]
            try:
                match step:
                    case "look":
                        mine = agreed.id in {one.id for one in await store.deals()}
                        if holder != who and asleep[holder]:
                            holder = who
                        assert mine == (holder == who)
                        believes[who] = mine
                    case "sign":
                        intent = await store.sign(agreed.id, "x", FUND, tx((repr(steps), number)), AT)
                        signed.append(intent.number)
                    case "settle" if signed:
                        await store.settle(signed[-1], DONE)
                    case "swear":
                        await store.swear(agreed.id, Vow.NEVER_FUND)
                    case "sleep":
                        await silence(store)
                        asleep[who] = True
                    case "wake":
                        await store.leases._renew()
                        asleep[who] = False
                    case "wish":
                        await store.resolve(agreed.id, Will(stop=bool(number % 2)))
            except Fenced:
                assert not believes[who] or holder != who
                believes[who] = False
            else:
                if step in ("sign", "swear") or (step == "settle" and signed):
                    assert believes[who]
                    assert holder == who
        assert [intent.number for intent in await stores[0].intents(agreed.id)] == signed
        await stores[holder].deals()
        await stores[holder].close(agreed.id, "swapped", AT)


# --- a server that fails ---------------------------------------------------------------------------------


async def test_a_session_that_falls_silent_in_a_transaction_is_ended(postgres_url, monkeypatch):
    """A process that is stopped in the midst of a write must not stop the others."""
    monkeypatch.setattr("settlement.store.postgres.SILENCE_MS", 300)
    async with drivers(postgres_url) as (one, two):
        await two.add(deal(2))
        async with one._database._engine.connect() as connection:
            await connection.run_sync(one._database.backend.queue)
            async with asyncio.timeout(8):
                await two.sign(deal(2).id, "x", FUND, tx(2), AT)
            with contextlib.suppress(Exception):
                await connection.rollback()
        await one.add(deal(1))


async def test_a_server_that_is_gone_is_a_typed_error_and_may_come_back(postgres_url, postgres):
    async with drivers(postgres_url, 1) as (one,):
        await one.add(deal(1))
        await postgres.kill()
        try:
            for call in (one.deals, one.unsettled, lambda: one.sign(deal(1).id, "x", FUND, tx(1), AT)):
                with pytest.raises(StoreUnavailable):
                    await call()
            with pytest.raises(StoreUnavailable):
                await Store.open(postgres_url)
        finally:
            await postgres.start()
        await one.sign(deal(1).id, "x", FUND, tx(1), AT)
        assert len(await one.unsettled()) == 1
