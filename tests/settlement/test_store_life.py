"""Opening, locking, failing and dying: a database is never half-written, and never driven twice."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from htlc.ports import FUND
from htlc.protocols.base import Will
from settlement.store import Store, schema
from settlement.store.errors import (
    DatabaseInUse,
    NotOurDatabase,
    SchemaTooNew,
    SchemaTooOld,
    StoreDamaged,
    StoreUnavailable,
    UnsupportedDatabase,
)
from tests.settlement.samples import AT, deal, tx

HERE = Path(__file__).parent


@pytest.fixture
async def store(database):
    """What is here is about files."""
    async with await Store.open(str(database), drive=True) as opened:
        yield opened


def child(code: str, *arguments: str, **options) -> subprocess.Popen[str]:
    """A process with our modules and samples that runs `code`."""
    prelude = f"import sys, asyncio; sys.path.insert(0, {str(HERE)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


WRITER = """
    from samples import *
    from settlement.store import Store
    async def main():
        store = await Store.open(sys.argv[1], drive=True)
        agreed = deal()
        await store.add(agreed)
        number = 0
        while True:
            intent = await store.sign(agreed.id, "x", "fund", tx(number), AT)
            print(intent.number, flush=True)
            number += 1
    asyncio.run(main())
"""


async def test_what_was_stored_survives_kill_9_and_the_lock_does_not(database):
    process = child(WRITER, str(database))
    try:
        said = [int(process.stdout.readline()) for _ in range(25)]
        with pytest.raises(DatabaseInUse) as caught:
            await Store.open(str(database), drive=True)
        assert caught.value.pid == process.pid
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split()]
    finally:
        process.kill()
        process.wait(20)
    async with await Store.open(str(database), drive=True) as store:
        numbers = [intent.number for intent in await store.unsettled()]
        assert numbers[: len(said)] == said
        assert len(numbers) - len(said) <= 1  # committed, but killed before it could say so
        assert not store.restored
        assert not (await store.deals())[0].limited


async def test_only_the_driver_is_exclusive(store, database):
    for options in ({"drive": True}, {"upgrade": True}):
        with pytest.raises(DatabaseInUse) as caught:
            await Store.open(str(database), **options)
        assert caught.value.pid == os.getpid()
    async with await Store.open(f"sqlite:///{database}") as reader:
        assert not reader.driving


PASSER_BY = """
    import sqlite3
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("UPDATE deals SET peer = 'new'")
    connection.commit()
    connection.close()
"""


async def test_two_stores_of_one_process_leave_each_other_their_locks(store, database):
    """Whoever closes a database last tidies its journal away, and a reader whose lock was lost would go on reading
    the old one for ever."""
    await store.add(deal())
    async with await Store.open(str(database)) as reader:
        assert len(await reader.deals()) == 1
    assert child(PASSER_BY, str(database)).wait(30) == 0
    assert database.with_name(database.name + "-wal").exists()
    assert (await store.deal(deal().id)).peer == "new"


async def test_files_are_private(store, database):
    await store.add(deal())
    for path in database.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("url", ["postgresql://h", "sqlite://", "sqlite:///:memory:", "nonsense://"])
async def test_an_unknown_kind_of_database_is_refused(url):
    with pytest.raises(UnsupportedDatabase):
        await Store.open(url)


async def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path):
    with pytest.raises(StoreUnavailable):
        await Store.open(str(tmp_path / "missing" / "deals.db"))


# --- schema ----------------------------------------------------------------------------------------------


def shape(path) -> set[tuple[str, str]]:
    """Every table and index with its definition, white space and quotes aside."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, "".join(sql.split()).replace('"', "")) for name, sql in rows}


async def test_migrations_give_the_schema_that_a_new_database_has(database, tmp_path):
    await (await Store.open(str(database))).aclose()
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        schema.migrate(connection)
    engine.dispose()
    assert shape(database) == shape(tmp_path / "migrated.db")


def test_the_known_revisions_are_those_of_the_migrations():
    script = ScriptDirectory(str(schema.MIGRATIONS))
    assert [revision.revision for revision in script.walk_revisions()][::-1] == list(schema.REVISIONS)


async def set_revision(database, revision: str) -> bytes:
    await (await Store.open(str(database))).aclose()
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()
    return database.read_bytes()


async def test_a_newer_schema_is_refused_and_left_alone(database):
    before = await set_revision(database, "9999")
    for upgrade in (False, True):
        with pytest.raises(SchemaTooNew) as caught:
            await Store.open(str(database), drive=True, upgrade=upgrade)
        assert (caught.value.found, caught.value.known) == ("9999", schema.HEAD)
    assert database.read_bytes() == before
    with pytest.raises(SchemaTooNew):  # the lock was let go
        await Store.open(str(database), drive=True)


async def test_an_older_schema_is_upgraded_only_when_asked(database, monkeypatch):
    before = await set_revision(database, "0000")
    monkeypatch.setattr(schema, "REVISIONS", ("0000", *schema.REVISIONS))
    with pytest.raises(SchemaTooOld):
        await Store.open(str(database), drive=True)
    assert database.read_bytes() == before


def later_version(folder: Path, body: str) -> Path:
    """Our migrations and one more, as the next version will have them."""
    shutil.copytree(schema.MIGRATIONS, folder)
    step = (
        f"revision = '9999'\ndown_revision = '{schema.HEAD}'\nfrom alembic import op\ndef upgrade():\n    {body}\n"
    )
    (folder / "versions" / "9999_next.py").write_text(step)
    return folder


@pytest.mark.parametrize("fails", [False, True])
async def test_an_upgrade_is_whole_or_nothing(database, tmp_path, monkeypatch, fails):
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal())
        await store.sign(deal().id, "x", FUND, tx(1), AT)
    before = shape(database)
    body = "op.execute('CREATE TABLE extra (x)')" + ("; op.execute('nonsense')" if fails else "")
    monkeypatch.setattr(schema, "MIGRATIONS", later_version(tmp_path / "migrations", body))
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(SchemaTooOld):
        await Store.open(str(database), drive=True)
    if fails:
        with pytest.raises(StoreUnavailable):
            await Store.open(str(database), upgrade=True)
        assert shape(database) == before
        return
    async with await Store.open(str(database), drive=True, upgrade=True) as store:
        assert [intent.tx for intent in await store.unsettled()] == [tx(1)]
        assert not store.restored
    assert shape(database) > before
    async with await Store.open(str(database), drive=True) as store:
        assert not (await store.deals())[0].limited


async def test_another_programs_database_is_refused(database):
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE wallet (x)")
    connection.close()
    with pytest.raises(NotOurDatabase):
        await Store.open(str(database))


async def test_a_file_that_is_no_database_is_refused(database):
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreDamaged):
        await Store.open(str(database))
    assert database.read_bytes() == b"not a database" * 1000


# --- failing disks ---------------------------------------------------------------------------------------


async def test_a_full_disk_is_a_typed_error_and_leaves_nothing_half_written(store):
    agreed = deal()
    await store.add(agreed)

    def fill(connection):
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 1}"))

    await store._database.write(fill)
    stored = 0

    async def sign_on():
        nonlocal stored
        while stored < 100:
            await store.sign(agreed.id, "x", FUND, tx(stored), AT)
            stored += 1

    with pytest.raises(StoreUnavailable) as caught:
        await sign_on()
    assert "full" in str(caught.value)
    assert len(await store.unsettled()) == stored
    await store._database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 100000")))
    await store.sign(agreed.id, "x", FUND, tx(stored), AT)
    assert len(await store.unsettled()) == stored + 1


FILLER = """
    import resource
    from samples import *
    from settlement.store import Store
    from settlement.store.errors import StoreUnavailable
    async def main():
        store = await Store.open(sys.argv[1], drive=True)
        agreed = deal()
        await store.add(agreed)
        limit = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        number = 0
        try:
            while number < 10_000:
                await store.sign(agreed.id, "x", "fund", tx(number), AT)
                number += 1
        except StoreUnavailable:
            print(number, len(await store.unsettled()), flush=True)
    asyncio.run(main())
"""


async def test_a_write_that_the_system_refuses_is_a_typed_error(database):
    process = child(FILLER, str(database), str(400_000))
    output, _ = process.communicate(timeout=60)
    stored, seen = map(int, output.split())
    assert 0 < stored == seen
    async with await Store.open(str(database), drive=True) as store:
        assert len(await store.unsettled()) == stored


READER = """
    import os
    from samples import *
    from htlc.protocols.base import Will
    from settlement.store import Store
    from settlement.store.errors import StoreUnavailable
    async def main():
        if os.getuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try:
            store = await Store.open(sys.argv[1])
            await store.resolve(deal().id, Will(stop=True))
        except StoreUnavailable as error:
            print("refused", flush=True)
    asyncio.run(main())
"""


async def test_a_read_only_database_is_a_typed_error(database):
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal())
    database.chmod(0o444)
    for folder in (database.parent, *database.parent.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o005 and len(folder.parts) > 2:
            folder.chmod(0o755)
    process = child(READER, str(database))
    output, _ = process.communicate(timeout=60)
    assert output.strip() == "refused"
    database.chmod(0o600)
    async with await Store.open(str(database), drive=True) as store:
        assert (await store.deals())[0].will == Will()


# --- restored copies -------------------------------------------------------------------------------------


def copy(database, folder, *suffixes):
    folder.mkdir()
    for suffix in suffixes:
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copy(source, folder / source.name)
    return folder / database.name


async def backed_up(database, folder, *suffixes):
    """A backup made after one deal was agreed; the original went on."""
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal(1))
    backup = copy(database, folder, *suffixes)
    async with await Store.open(str(database), drive=True) as store:
        await store.sign(deal(1).id, "x", FUND, tx(1), AT)
    return backup


@pytest.mark.parametrize("suffixes", [("",), ("", ".epoch")], ids=["without the side file", "with a copy of it"])
async def test_a_restored_backup_limits_its_open_deals_for_ever(database, tmp_path, suffixes):
    backup = await backed_up(database, tmp_path / "backup", *suffixes)
    async with await Store.open(str(backup)) as reader:  # a reader neither changes nor hides it
        assert not reader.restored
        assert not (await reader.deals())[0].limited
    async with await Store.open(str(backup), drive=True) as store:
        assert store.restored
        assert (await store.deals())[0].limited
        await store.add(deal(2))
    async with await Store.open(str(backup), drive=True) as store:
        assert not store.restored
        assert [one.limited for one in await store.deals()] == [True, False]


async def test_a_backup_put_back_in_place_is_found_out(database, tmp_path):
    backup = await backed_up(database, tmp_path / "backup", "")
    shutil.copyfile(backup, database)  # the side file stays, and has seen more
    async with await Store.open(str(database), drive=True) as store:
        assert store.restored
        assert (await store.deals())[0].limited


async def test_a_damaged_side_file_counts_as_none(database):
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal(1))
    database.with_name(database.name + ".epoch").write_text("{")
    async with await Store.open(str(database), drive=True) as store:
        assert store.restored


async def test_restarts_and_moves_within_the_file_system_are_no_restore(database, tmp_path):
    async with await Store.open(str(database), drive=True) as store:
        await store.add(deal(1))
    (tmp_path / "new").mkdir()
    for path in list(database.parent.glob("deals.db*")):
        path.rename(tmp_path / "new" / path.name)
    for _ in range(3):
        async with await Store.open(str(tmp_path / "new" / "deals.db"), drive=True) as store:
            assert not store.restored
            assert not (await store.deals())[0].limited
