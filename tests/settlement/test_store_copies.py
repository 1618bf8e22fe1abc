"""Backups, restores and upgrades of both kinds of database: nothing is lost, and nothing old passes for new."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import shutil
import sqlite3
import stat
from dataclasses import replace

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text

from chains.port import TxPhase, TxState
from htlc.ports import FUND
from htlc.protocols.base import Vow, Will
from settlement.spans import Spans
from settlement.store import Store, copies, schema
from settlement.store.backend import parse
from settlement.store.copies import back_up, restore
from settlement.store.database import Database
from settlement.store.errors import (
    DatabaseInUse,
    NoSuchBackup,
    NotEmpty,
    NotOurDatabase,
    SchemaTooNew,
    SchemaTooOld,
    StoreRolledBack,
)
from settlement.store.messages import Proved
from settlement.store.tables import leases, metadata
from tests.settlement import parties
from tests.settlement.parties import Clock, make
from tests.settlement.samples import AT, deal, digest, tx
from tests.settlement.test_store_messages import LANE, message

pytestmark = pytest.mark.node

DONE = TxState(TxPhase.MINED, 100, True, 10**19, 140)
SECRET = b"\x07" * 32
KINDS = ["sqlite", "postgresql"]


@pytest.fixture
async def empty_of(postgres, tmp_path):
    """Makes a database of a kind in which there is nothing at all; gives its address."""
    numbers, made = itertools.count(), []

    async def create(kind: str) -> str:
        number = next(numbers)
        if kind == "sqlite":
            return str(tmp_path / f"empty{number}.db")
        made.append(f"{tmp_path.name}{number}")
        return await postgres.create_database(made[-1])

    yield create
    for name in made:
        await postgres._psql(f'DROP DATABASE "{name}" WITH (FORCE)')


async def fill(store: Store) -> None:
    """Something in nearly every table."""
    party = make("alice", store, Clock())
    await party.agreement.propose(parties.swap(), "cc" * 32, "http://bob")
    for number in range(3):
        await store.add(deal(number))
    one, two, three = (deal(number).id for number in range(3))
    await store.resolve(one, Will(exercise=True))
    await store.swear(one, Vow.NEVER_FUND)
    await store.give_consent(one, "x", "release", "mine")
    await store.hold_consent(two, "y", "release", "theirs")
    await store.learn(one, {hashlib.sha256(SECRET).digest(): SECRET})
    first = await store.sign(one, "x", FUND, tx(1), AT)
    await store.sign(two, "x", FUND, tx(2), AT)
    await store.settle(first.number, DONE)
    await store.close(three, "swapped", AT)
    await store.messages.open_lane(LANE, "there")
    await store.messages.share([LANE.id])
    await store.messages.add(LANE.id, [(100, message(0))], {0: digest(1)}, "search", Spans([(0, 500)]))
    await store.messages.prove(LANE.id, Proved(1, 1, digest(2), b"s" * 64))
    await store.messages.push(LANE.id, 0, 1, tx(3), 50, AT)


async def everything(store: Store):
    """All that is stored, whatever may differ after a restore aside."""
    return (
        [replace(one, limited=False) for one in await store.history()],
        [await store.intents(one.id) for one in await store.history()],
        await store.book.proposals(),
        await store.book.peers(),
        await store.messages.notes(),
        await store.messages.messages(LANE, 0, 10),
        await store.messages.flying(),
        await store.messages.spans("search"),
        await store.messages.proved(LANE.id),
    )


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
async def test_a_backup_of_either_kind_is_restored_into_either(empty_of, tmp_path, source, target):
    file = tmp_path / "backup.db"
    async with await Store.open(await empty_of(source), drive=True) as store:
        await fill(store)
        before = await everything(store)
        assert await back_up(store_url(store), file) > 10
        await store.sign(deal(1).id, "y", FUND, tx(9), AT)  # what the backup does not know of
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup.db"]
    url = await empty_of(target)
    await restore(file, url)
    async with await Store.open(url, drive=True, folder=tmp_path) as again:
        assert again.restored
        assert [one.limited for one in await again.deals()] == [True, True]
        assert await everything(again) == before
        latest = max(intent.number for intents in before[1] for intent in intents)
        assert (await again.sign(deal(1).id, "y", FUND, tx(9), AT)).number > latest
        await again.add(deal(7))
    async with await Store.open(url, drive=True, folder=tmp_path) as later:
        assert not later.restored
        assert [one.limited for one in await later.deals()] == [True, True, False]


def store_url(store: Store) -> str:
    """Where an open store is, password and all."""
    backend = store._database.backend
    return (
        str(backend.path) if backend.alone else backend._url.set(drivername="postgresql").render_as_string(False)
    )


async def test_a_backup_is_one_moment_of_a_database_that_is_written_to(postgres_url, tmp_path):
    """Each deal is stored with two transactions or, as far as the backup tells, not yet."""
    async with await Store.open(postgres_url, drive=True) as store:
        await store.add(deal(0))

        async def write_on() -> None:
            for number in range(100):
                legs = {f"{part}/2": tx(2 * number + part) for part in (1, 2)}
                await store.sign_together(deal(0).id, "record", legs, AT)

        writing = asyncio.create_task(write_on())
        counts = []
        for number in range(4):
            await back_up(postgres_url, tmp_path / f"{number}.db")
            with sqlite3.connect(tmp_path / f"{number}.db") as file:
                counts.append(file.execute("SELECT count(*) FROM intents").fetchone()[0])
        await writing
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_written_over(empty_of, tmp_path, kind):
    url = await empty_of(kind)
    with pytest.raises(NotOurDatabase):
        await back_up(url, tmp_path / "backup.db")
    async with await Store.open(url, drive=True) as store:
        await fill(store)
        before = await everything(store)
        await back_up(url, tmp_path / "backup.db")
        with pytest.raises(NotEmpty):
            await back_up(url, tmp_path / "backup.db")
        with pytest.raises(DatabaseInUse if kind == "sqlite" else NotEmpty):
            await restore(tmp_path / "backup.db", url)
    with pytest.raises(NotEmpty):
        await restore(tmp_path / "backup.db", url)
    async with await Store.open(url, drive=True) as store:
        assert not store.restored
        assert await everything(store) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["nothing", "a text", "another database", "a newer one"])
async def test_what_is_no_backup_is_refused_and_nothing_is_made(empty_of, tmp_path, kind, what):
    file = tmp_path / "backup.db"
    if what == "a text":
        file.write_text("SELECT 1" * 1000)
    elif what in ("another database", "a newer one"):
        with sqlite3.connect(file) as connection:
            name = "alembic_version" if what == "a newer one" else "wallet"
            connection.execute(f"CREATE TABLE {name} (version_num)")
            connection.execute(f"INSERT INTO {name} VALUES ('9999')")
        connection.close()
    url = await empty_of(kind)
    with pytest.raises(SchemaTooNew if what == "a newer one" else NoSuchBackup):
        await restore(file, url)
    async with await Store.open(url, drive=True) as store:
        assert await store.history() == ()


# --- every schema that was ever released ------------------------------------------------------------------


async def at_schema(url: str, revision: str, template: str) -> Database:
    """Make a database of an older schema, with what of `template` fits into it."""
    database = Database(parse(url))
    await database.write(lambda connection: schema.migrate(connection, revision))

    def work(connection) -> None:
        tables = MetaData()
        tables.reflect(connection)
        with copies._sqlite(copies.Path(template)) as source:
            copies._copy(source, connection, tables)
            if leases.name in tables.tables:  # which no backup has
                copies.free_all(connection)
            if connection.dialect.name == "postgresql":
                copies.number_on(connection, tables)

    await database.write(work)
    return database


@pytest.fixture
async def template(tmp_path):
    path = tmp_path / "template.db"
    async with await Store.open(str(path), drive=True) as store:
        await fill(store)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("revision", schema.REVISIONS[:-1])
@pytest.mark.parametrize("way", ["upgrade", "backup"])
async def test_every_older_schema_is_brought_up_with_all_its_rows(
    empty_of, template, tmp_path, kind, revision, way
):
    async with await Store.open(template) as store:
        before = await everything(store)
    url = await empty_of(kind)
    await (await at_schema(url, revision, template)).close()
    with pytest.raises(SchemaTooOld) as caught:
        await Store.open(url, drive=True)
    assert caught.value.found == revision
    if way == "backup":  # of the older schema, restored by this version
        await back_up(url, tmp_path / "backup.db")
        url = await empty_of(kind)
        await restore(tmp_path / "backup.db", url)
    async with await Store.open(url, drive=True, upgrade=way == "upgrade") as store:
        after = await everything(store)
        kept = 9 if revision >= "0002" else 4  # the first schema had no messages
        assert after[:kept] == before[:kept]
        assert len(await store.deals()) == 2
        await store.sign(deal(1).id, "y", FUND, tx(9), AT)
    with pytest.raises(NotEmpty):
        await restore(copies.Path(template), url)


async def test_migrations_give_the_tables_that_a_new_database_has_on_postgresql(empty_of):
    database = Database(parse(await empty_of("postgresql")))
    await database.write(schema.migrate)

    def differences(connection) -> list:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    assert await database.read(differences) == []
    await database.close()


async def test_a_failed_upgrade_leaves_everything_as_it_was(empty_of, template, monkeypatch, tmp_path):
    url = await empty_of("postgresql")
    database = await at_schema(url, "0001", template)
    shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    broken = f"revision = '9999'\ndown_revision = '{schema.HEAD}'\nfrom alembic import op\ndef upgrade():\n"
    (tmp_path / "migrations" / "versions" / "9999.py").write_text(broken + "    op.execute('nonsense')\n")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", tmp_path / "migrations")
        with pytest.raises(Exception, match="nonsense"):
            await Store.open(url, upgrade=True)
    assert await database.read(schema.revision) == "0001"
    await database.close()


# --- restored behind our back ------------------------------------------------------------------------------


async def limits(url: str, folder=None) -> tuple[bool, list[bool]]:
    """Whether a driver finds the database restored, and which deals are limited."""
    async with await Store.open(url, drive=True, folder=folder) as store:
        return store.restored, [one.limited for one in await store.deals()]


async def change(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def test_restarts_and_new_daemons_are_no_restore(postgres_url, tmp_path):
    async with await Store.open(postgres_url, drive=True, folder=tmp_path / "one") as store:
        await store.add(deal(1))
    assert await limits(postgres_url, tmp_path / "one") == (False, [False])
    assert await limits(postgres_url, tmp_path / "two") == (False, [False])
    assert await limits(postgres_url) == (False, [False])


async def test_a_copy_of_a_database_is_found_out_by_whoever_opens_it(empty_of, postgres, tmp_path):
    url = await empty_of("postgresql")
    async with await Store.open(url, drive=True) as store:
        await store.add(deal(1))
    name = url.rpartition("/")[2]
    await change(postgres.url, f'CREATE DATABASE "{name}copy" TEMPLATE "{name}"')
    copy = postgres.database_url(f"{name}copy")
    assert await limits(copy, tmp_path / "any") == (True, [True])
    assert await limits(copy) == (False, [True])
    await change(postgres.url, f'DROP DATABASE "{name}copy"')


async def test_rows_put_back_in_place_are_found_out_by_a_daemon_that_saw_more(postgres_url, tmp_path):
    async with await Store.open(postgres_url, drive=True, folder=tmp_path) as store:
        await store.add(deal(1))
        await store.sign(deal(1).id, "x", FUND, tx(1), AT)
    await change(postgres_url, "DELETE FROM intents; UPDATE changes SET count = count - 1")
    assert await limits(postgres_url, tmp_path) == (True, [True])


async def test_a_restore_is_found_once_however_many_daemons_there_are(postgres_url, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        async with await Store.open(postgres_url, drive=True, folder=folder) as store:
            await store.add(deal(folder.name))
    await change(postgres_url, "UPDATE changes SET count = 0")
    assert await limits(postgres_url, folders[0]) == (True, [True, True])
    async with await Store.open(postgres_url, drive=True, folder=folders[0]) as store:
        await store.add(deal(3))
    for folder in folders:
        assert await limits(postgres_url, folder) == (False, [True, True, False])


async def test_a_damaged_side_file_counts_as_a_restore(postgres_url, tmp_path):
    async with await Store.open(postgres_url, drive=True, folder=tmp_path) as store:
        await store.add(deal(1))
    (tmp_path / "ours.epoch").write_text("{")
    assert await limits(postgres_url, tmp_path) == (True, [True])
    assert await limits(postgres_url, tmp_path) == (False, [True])


async def test_a_database_that_is_rolled_back_under_a_daemon_takes_nothing_more(postgres_url, tmp_path):
    async with await Store.open(postgres_url, drive=True, folder=tmp_path) as store:
        await store.add(deal(1))
        await store.sign(deal(1).id, "x", FUND, tx(1), AT)
        await change(postgres_url, "DELETE FROM intents; UPDATE changes SET count = count - 2")
        with pytest.raises(StoreRolledBack):
            await store.sign(deal(1).id, "x", FUND, tx(2), AT)
        assert await store.unsettled() == ()
    assert await limits(postgres_url, tmp_path) == (True, [True])


async def test_daemons_of_a_database_that_was_restored_are_fenced(postgres_url, tmp_path):
    """One that ran through a restore, and did not notice, holds nothing any more once another one has."""
    from htlc.errors import Fenced

    async with await Store.open(postgres_url, drive=True) as old:
        await old.add(deal(1))
        await change(postgres_url, "UPDATE meta SET value = 'elsewhere' WHERE name = 'home'")
        async with await Store.open(postgres_url, drive=True) as new:
            assert new.restored
            with pytest.raises(Fenced):
                await old.sign(deal(1).id, "x", FUND, tx(1), AT)


async def test_a_server_that_commits_to_memory_is_told_not_to(postgres_url):
    """Whatever the server's default, a commit of ours is on disk when it returns."""
    user = postgres_url.split("/")[-1]
    await change(postgres_url, f'ALTER DATABASE "{user}" SET synchronous_commit = off')
    try:
        async with await Store.open(postgres_url) as store:
            found = await store._read(lambda one: one.execute(text("SHOW synchronous_commit")).scalar_one())
        assert found == "on"
    finally:
        await change(postgres_url, f'ALTER DATABASE "{user}" RESET synchronous_commit')
