"""Tokens come back as they were, and those of a restored copy are good no more."""

from __future__ import annotations

import shutil

import pytest

from settlement.store import Store
from settlement.store.errors import NoSuchToken
from settlement.store.tokens import TokenRecord

TOKEN = TokenRecord("0" * 16, "a program", "read", b"\x07" * 32, 1000, expires_at=2000)


async def test_a_token_is_good_until_it_ends_or_is_taken_back(tmp_path):
    async with await Store.open(str(tmp_path / "a.db"), drive=True) as store:
        await store.tokens.add(TOKEN)
        assert await store.tokens.all() == (TOKEN,)
        assert TOKEN.good(1999.9)
        assert not TOKEN.good(2000)
        await store.tokens.revoke(TOKEN.id, 1500)
        await store.tokens.revoke(TOKEN.id, 1600)
        (taken,) = await store.tokens.all()
        assert taken.revoked_at == 1500
        assert not taken.good(1999)
        with pytest.raises(NoSuchToken):
            await store.tokens.revoke("1" * 16, 1500)


async def test_a_restored_copy_has_no_good_token(tmp_path):
    path, backup = tmp_path / "a.db", tmp_path / "backup.db"
    async with await Store.open(str(path), drive=True) as store:
        await store.tokens.add(TOKEN)
    shutil.copy(path, backup)
    async with await Store.open(str(path), drive=True) as store:
        assert not store.restored
        await store.tokens.revoke(TOKEN.id, 1500)  # somebody stole it
    shutil.copy(backup, path)
    async with await Store.open(str(path), drive=True) as store:
        assert store.restored
        assert [token.revoked_at is not None for token in await store.tokens.all()] == [True]
