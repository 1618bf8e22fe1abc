"""The journal of deals: what `htlc.ports.Journal` asks for, in tables.

Plain functions on a connection, each part of one transaction; `Store` wraps them. A deal's revision grows with
every change, so that readers need to load only what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from chains.port import SignedTx, TxState
from htlc.errors import NoSuchDeal
from htlc.ports import Deal, Intent
from htlc.protocols.base import Vow, Will
from settlement.store import forms
from settlement.store.database import Database
from settlement.store.errors import DamagedRecord, DealExists, NoSuchIntent
from settlement.store.leases import DEAL
from settlement.store.tables import consents, deals, intents, leases, preimages, vows

BATCH = 500  # ids in one IN (...)

_EPOCH = select(leases.c.epoch).where(
    leases.c.kind == DEAL, leases.c.name == deals.c.id, leases.c.holder == bindparam("holder")
)
_HELD = (  # asked in every tick; of the open deals nothing is read but their index
    select(deals.c.id, deals.c.revision, _EPOCH.scalar_subquery().label("epoch"))
    .where(deals.c.outcome.is_(None))
    .order_by(deals.c.number)
)


# --- reading ---------------------------------------------------------------------------------------------


def open_revisions(connection: Connection) -> dict[str, int]:
    """The revision of every deal that is not closed, oldest deal first."""
    query = select(deals.c.id, deals.c.revision).where(deals.c.outcome.is_(None)).order_by(deals.c.number)
    return {row.id: row.revision for row in connection.execute(query)}


def open_page(connection: Connection, limit: int, offset: int) -> dict[str, int]:
    """The revisions of a piece of the deals that are not closed, newest first."""
    query = select(deals.c.id, deals.c.revision).where(deals.c.outcome.is_(None)).order_by(deals.c.number.desc())
    return {row.id: row.revision for row in connection.execute(query.limit(limit).offset(offset))}


def held_revisions(connection: Connection, holder: str) -> dict[str, tuple[int, int]]:
    """Of every open deal that `holder` holds its revision, and the epoch of the lease; oldest deal first."""
    found = connection.execute(_HELD, {"holder": holder}).all()
    return {id_: (revision, epoch) for id_, revision, epoch in found if epoch is not None}


def all_ids(connection: Connection, limit: int, offset: int, closed: bool = False) -> list[str]:
    """Ids of all deals, closed ones too or (`closed`) alone, newest first."""
    query = select(deals.c.id).order_by(deals.c.number.desc()).limit(limit).offset(offset)
    if closed:
        query = query.where(deals.c.outcome.is_not(None))
    return list(connection.execute(query).scalars())


def load(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, Deal]]:
    """Deals with their revisions, by id; those that don't exist are missing."""
    found: dict[str, tuple[int, Deal]] = {}
    for start in range(0, len(ids), BATCH):
        found.update(_load(connection, ids[start : start + BATCH]))
    return found


def load_one(connection: Connection, deal: str) -> tuple[int, Deal]:
    found = load(connection, [deal])
    if deal not in found:
        raise NoSuchDeal(deal)
    return found[deal]


def _load(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, Deal]]:
    rows = connection.execute(select(deals).where(deals.c.id.in_(ids))).mappings().all()
    sworn: dict[str, set[Vow]] = {}
    for deal, vow in connection.execute(select(vows.c.deal, vows.c.vow).where(vows.c.deal.in_(ids))):
        sworn.setdefault(deal, set()).add(Vow(vow))
    signed: dict[tuple[str, bool], dict[tuple[str, str], str]] = {}
    for row in connection.execute(select(consents).where(consents.c.deal.in_(ids))):
        signed.setdefault((row.deal, row.given), {})[row.leg, row.path] = row.consent
    seen: dict[str, dict[bytes, bytes]] = {}
    for row in connection.execute(select(preimages).where(preimages.c.deal.in_(ids))):
        seen.setdefault(row.deal, {})[row.hash] = row.preimage
    return {
        row["id"]: (
            row["revision"],
            _deal(row, sworn.get(row["id"], set()), signed, seen.get(row["id"], {})),
        )
        for row in rows
    }


def _deal(
    row: RowMapping,
    sworn: set[Vow],
    signed: Mapping[tuple[str, bool], Mapping[tuple[str, str], str]],
    seen: Mapping[bytes, bytes],
) -> Deal:
    return Deal(
        id=row["id"],
        terms=forms.load_terms(row["terms"]),
        role=row["role"],
        guards=forms.load_guards(row["guards"]),
        since=forms.load_since(row["since"]),
        agreed_at=row["agreed_at"],
        peer=row["peer"],
        will=forms.load_will(row["will"]),
        vows=frozenset(sworn),
        consents_given=signed.get((row["id"], True), {}),
        consents_held=signed.get((row["id"], False), {}),
        preimages=seen,
        outcome=row["outcome"],
        limited=row["limited"],
    )


def unsettled(connection: Connection, known: Mapping[int, Intent] | None = None) -> tuple[Intent, ...]:
    """Every intent without a final word, of all deals, in order; those that are known are not read again."""
    if not known:
        query = select(intents).where(intents.c.final.is_(None)).order_by(intents.c.number)
        return tuple(_intent(row) for row in connection.execute(query).mappings())
    query = select(intents.c.number).where(intents.c.final.is_(None)).order_by(intents.c.number)
    numbers = list(connection.execute(query).scalars())
    found = dict(known)
    missing = [number for number in numbers if number not in known]
    for start in range(0, len(missing), BATCH):
        chosen = select(intents).where(intents.c.number.in_(missing[start : start + BATCH]))
        found.update((row["number"], _intent(row)) for row in connection.execute(chosen).mappings())
    return tuple(found[number] for number in numbers)


def intents_by_deal(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[Intent, ...]]:
    """Everything that was signed for each of some deals, at most BATCH, in order."""
    found: dict[str, list[Intent]] = {id_: [] for id_ in ids}
    query = select(intents).where(intents.c.deal.in_(ids)).order_by(intents.c.number)
    for row in connection.execute(query).mappings():
        found[row["deal"]].append(_intent(row))
    return {id_: tuple(some) for id_, some in found.items()}


def _intent(row: RowMapping) -> Intent:
    tx = SignedTx(
        chain=row["chain"],
        txid=row["txid"],
        raw=row["raw"],
        claims=forms.load_claims(row["claims"]),
        price=row["price"],
        fee=row["fee"],
    )
    final = None if row["final"] is None else forms.load_tx_state(row["final"])
    return Intent(row["number"], row["deal"], row["leg"], row["step"], tx, row["signed_at"], final)


def preimage_of(connection: Connection, value: bytes) -> bytes | None:
    """The preimage of a hash, if any deal ever saw it on a chain."""
    query = select(preimages.c.preimage).where(preimages.c.hash == value).limit(1)
    return connection.execute(query).scalar_one_or_none()


# --- writing ---------------------------------------------------------------------------------------------


def insert_deal(connection: Connection, deal: Deal) -> None:
    """Store a new deal as agreed; what a fresh deal can't have yet (vows, consents, preimages) is not read."""
    values = {
        "id": deal.id,
        "protocol": deal.terms.protocol,
        "role": deal.role,
        "terms": forms.dump_terms(deal.terms),
        "guards": forms.dump_guards(deal.guards),
        "since": forms.dump_since(deal.since),
        "agreed_at": deal.agreed_at,
        "peer": deal.peer,
        "will": forms.dump_will(deal.will),
        "limited": deal.limited,
        "revision": 1,
    }
    if deal.id != deal.terms.id:
        raise DamagedRecord("deal", f"its id is {deal.id}, its terms give {deal.terms.id}")
    try:
        connection.execute(insert(deals).values(values))
    except IntegrityError as error:
        raise DealExists(deal.id) from error


def insert_intent(
    connection: Connection, database: Database, deal: str, leg: str, step: str, tx: SignedTx, at: int
) -> Intent:
    """Store a signed transaction. Storing the same one again gives the intent that is there."""
    values = {
        "deal": deal,
        "leg": leg,
        "step": step,
        "chain": tx.chain,
        "txid": tx.txid,
        "raw": tx.raw,
        "claims": forms.dump_claims(tx.claims),
        "price": tx.price,
        "fee": tx.fee,
        "signed_at": at,
    }
    query = database.insert_new(intents).returning(intents.c.number)
    try:
        number = connection.execute(query, values).scalar_one_or_none()
    except IntegrityError as error:  # all that a foreign key can say
        raise NoSuchDeal(deal) from error
    if number is not None:
        return Intent(number, deal, leg, step, tx, at)
    again = select(intents).where(
        intents.c.deal == deal, intents.c.leg == leg, intents.c.step == step, intents.c.txid == tx.txid
    )
    return _intent(connection.execute(again).mappings().one())


def deal_of(connection: Connection, number: int) -> str:
    """The deal that an intent is of. Raises NoSuchIntent."""
    deal = connection.execute(select(intents.c.deal).where(intents.c.number == number)).scalar_one_or_none()
    if deal is None:
        raise NoSuchIntent(number)
    return str(deal)


def settle_intent(connection: Connection, number: int, state: TxState) -> str:
    """Store the last word on a transaction; the deal it is of. Raises NoSuchIntent."""
    query = update(intents).where(intents.c.number == number).values(final=forms.dump_tx_state(state))
    deal = connection.execute(query.returning(intents.c.deal)).scalar_one_or_none()
    if deal is None:
        raise NoSuchIntent(number)
    return str(deal)


def insert_preimages(connection: Connection, database: Database, deal: str, found: Mapping[bytes, bytes]) -> None:
    for value, preimage in found.items():
        if hashlib.sha256(preimage).digest() != value:
            raise DamagedRecord("preimage", f"it is not that of {value.hex()}")
    rows = [{"deal": deal, "hash": value, "preimage": preimage} for value, preimage in found.items()]
    _insert_new(connection, database, preimages, deal, rows)


def insert_vow(connection: Connection, database: Database, deal: str, vow: Vow) -> None:
    _insert_new(connection, database, vows, deal, [{"deal": deal, "vow": vow.value}])


def put_consent(connection: Connection, deal: str, given: bool, leg: str, path: str, consent: str) -> None:
    """Store a release signature; a newer one (of other deposits) takes the place of an older."""
    _change(connection, deal)
    where = (consents.c.deal == deal, consents.c.given == given, consents.c.leg == leg, consents.c.path == path)
    if connection.execute(update(consents).where(*where).values(consent=consent)).rowcount == 0:
        row = {"deal": deal, "given": given, "leg": leg, "path": path, "consent": consent}
        connection.execute(insert(consents).values(row))


def set_will(connection: Connection, deal: str, will: Will) -> None:
    _change(connection, deal, will=forms.dump_will(will))


def set_outcome(connection: Connection, deal: str, outcome: str, at: int) -> None:
    _change(connection, deal, outcome=outcome, closed_at=at)


def limit_open_deals(connection: Connection) -> int:
    """Mark every open deal as restored; how many were not so before."""
    query = update(deals).where(deals.c.outcome.is_(None), deals.c.limited.is_(False))
    return connection.execute(query.values(limited=True, revision=deals.c.revision + 1)).rowcount


def _insert_new(
    connection: Connection, database: Database, table: Any, deal: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Insert what is not there yet; the deal's revision grows only if anything was."""
    load_revision(connection, deal)
    if sum(connection.execute(database.insert_new(table).values(row)).rowcount for row in rows):
        _change(connection, deal)


def load_revision(connection: Connection, deal: str) -> int:
    revision = connection.execute(select(deals.c.revision).where(deals.c.id == deal)).scalar_one_or_none()
    if revision is None:
        raise NoSuchDeal(deal)
    return int(revision)


def _change(connection: Connection, deal: str, **values: Any) -> None:
    query = update(deals).where(deals.c.id == deal).values(revision=deals.c.revision + 1, **values)
    if connection.execute(query).rowcount == 0:
        raise NoSuchDeal(deal)
