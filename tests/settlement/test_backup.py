"""Descriptors: what goes in comes out, damage is found, and no deal is driven before it is backed up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htlc.errors import Fenced
from htlc.ports import Deal
from htlc.protocols.base import Vow, Will
from settlement.backup import describe, file_name, read_descriptor, read_files, write_file
from settlement.errors import BadDescriptor, DescriptorUnavailable, NotOurDeal
from settlement.kept import FileKeeper, KeptJournal
from settlement.seed import Seed
from settlement.store import Store
from tests.htlc.deals import GUARDS, make_terms
from tests.settlement import samples
from tests.settlement.samples import AT, tx

SEED = Seed(bytes(range(64)))
OTHER = Seed(bytes(64))


def deal(name: str = "option", role: str = "holder") -> Deal:
    terms = make_terms(name)
    us = replace(terms.parties[role], identity=SEED.identity().public)
    terms = replace(terms, parties={**terms.parties, role: us})
    guards = replace(GUARDS, joint={"settle:bitcoin+reach:evm": 600})
    return Deal(terms.id, terms, role, guards, {"bitcoin": 101, "evm": 0}, AT, "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("option", "writer"),
        ("option", "holder"),
        ("swap", "initiator"),
        ("swap", "participant"),
        ("attested", "writer"),
        ("attested", "holder"),
    ],
)
def test_a_descriptor_gives_back_what_was_agreed(name, role):
    agreed = deal(name, role)
    lived = replace(agreed, will=Will(exercise=True), vows=frozenset({Vow.NEVER_FUND}), outcome="expired")
    assert read_descriptor(describe(lived, SEED.identity()).text.encode()).deal == agreed


def test_only_our_own_deals_are_described():
    with pytest.raises(NotOurDeal):
        describe(deal(), OTHER.identity())


TEXT = describe(deal(), SEED.identity()).text.encode()


@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found(place, change):
    damaged = bytearray(TEXT)
    damaged[place] ^= change
    try:
        same = json.loads(damaged) == json.loads(TEXT)  # white space
    except ValueError:
        same = False
    if not same:
        with pytest.raises(BadDescriptor):
            read_descriptor(bytes(damaged))


@given(st.integers(0, len(TEXT) - 3))
def test_a_descriptor_that_is_cut_short_is_found(length):
    with pytest.raises(BadDescriptor):
        read_descriptor(TEXT[:length])


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_is_refused_in_words(data):
    with pytest.raises(BadDescriptor):
        read_descriptor(json.dumps(data).encode())


@pytest.mark.parametrize("field", ["deal", "role", "terms", "guards", "since", "agreed_at", "peer", "form", "sig"])
def test_a_missing_field_is_found(field):
    document = json.loads(TEXT)
    del document[field]
    with pytest.raises(BadDescriptor):
        read_descriptor(json.dumps(document).encode())


def test_the_signature_of_somebody_else_does_not_do():
    document = json.loads(TEXT)
    theirs = replace(deal().terms.parties["holder"], identity=OTHER.identity().public)
    terms = replace(deal().terms, parties={**deal().terms.parties, "holder": theirs})
    document |= {"terms": terms.to_json(), "deal": terms.id}
    with pytest.raises(BadDescriptor, match="signature"):
        read_descriptor(json.dumps(document).encode())


def test_a_folder_is_read_whole_and_nothing_else_in_it(tmp_path):
    for name in ("option", "swap"):
        one = deal(name, "holder" if name == "option" else "initiator")
        write_file(tmp_path / file_name(one), describe(one, SEED.identity()).text)
    (tmp_path / "notes.txt").write_text("not ours")
    assert {one.deal.terms.protocol for one in read_files([tmp_path])} == {"option", "swap"}
    assert (tmp_path / file_name(deal())).stat().st_mode & 0o777 == 0o600
    with pytest.raises(DescriptorUnavailable):
        read_files([tmp_path / "gone.json"])


async def in_a_file(deals):
    return dict.fromkeys(deals, "file")


async def test_no_deal_is_driven_before_it_is_backed_up(tmp_path):
    """A folder that can't be written holds up new deals, and only those."""
    blocked = tmp_path / "backup"
    blocked.write_text("a file where the folder should be")
    async with await Store.open(str(tmp_path / "db"), drive=True) as store:
        await store.add(deal())
        kept = KeptJournal(store, {"file": FileKeeper(blocked, SEED.identity())}, in_a_file)
        assert await kept.deals() == ()
        await store.sign(deal().id, "premium", "fund", tx(1), AT)
        assert [one.id for one in await kept.deals()] == [deal().id]
        blocked.unlink()
        assert [one.id for one in await kept.deals()] == [deal().id]
        assert [one.deal for one in read_files([blocked])] == [deal()]


async def test_a_deal_that_went_to_another_process_does_not_hold_up_the_others(tmp_path):
    """Its record can't be stored by us any more; it is left out, whatever was signed for it."""
    taken = deal()
    mine = samples.deal()

    class Fencing:
        async def keep(self, deal: Deal) -> bool:
            if deal.id == taken.id:
                raise Fenced(f"deal {deal.id}")
            return True

    async with await Store.open(str(tmp_path / "db"), drive=True) as store:
        for one in (taken, mine):
            await store.add(one)
        await store.sign(taken.id, "premium", "fund", tx(1), AT)
        kept = KeptJournal(store, {"file": Fencing()}, in_a_file)
        assert [one.id for one in await kept.deals()] == [mine.id]
