"""Fills a database with deals that are over, as years of trading would."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from htlc.ports import Deal, Intent
from settlement.store import Store, journal

TOGETHER = 250  # deals in one transaction


async def fill(url: str, count: int) -> int:
    """Store copies of a deal that is there, closed and each with secrets of its own, until there are `count`.
    How many there are then. The database's process must not run."""
    async with await Store.open(url, drive=True) as store:
        found = await store.history(limit=count)
        model = next((deal for deal in found if deal.outcome is None), found[0])
        signed = await store.intents(model.id)
        for some in _batches(count - len(found)):
            await store._write(partial(_add, store, model, signed, some))
        return len(found) + max(0, count - len(found))


def _batches(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, TOGETHER)
        count -= TOGETHER


def _add(store: Store, model: Deal, signed: tuple[Intent, ...], count: int, connection: Connection) -> None:
    for _ in range(count):
        deal = _copy(model)
        store.book.use_terms(connection, deal.terms, deal.id, deal.agreed_at)
        journal.insert_deal(connection, deal)
        for intent in signed:
            tx = replace(intent.tx, txid=secrets.token_hex(32))
            stored = journal.insert_intent(
                connection, store._database, deal.id, intent.leg, intent.step, tx, intent.signed_at
            )
            if intent.final is not None:
                journal.settle_intent(connection, stored.number, intent.final)
        journal.set_outcome(connection, deal.id, "expired", deal.agreed_at)


def _copy(model: Deal) -> Deal:
    """The same terms with other nonces and hashes, and so another deal."""
    parties = {
        role: replace(
            party,
            nonce=secrets.token_bytes(16),
            hashes={label: sha256(secrets.token_bytes(32)).digest() for label in party.hashes},
        )
        for role, party in model.terms.parties.items()
    }
    terms = replace(model.terms, parties=parties)
    return replace(model, id=terms.id, terms=terms)
