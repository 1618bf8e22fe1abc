"""Records: what goes in comes out for whoever has the seed, and for nobody else."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htlc.ports import Deal
from htlc.protocols import protocol
from htlc.terms import Contribution
from settlement.errors import BadRecord, WrongChain
from settlement.packing import MAX_UNPACKED, Malformed, pack, unpack
from settlement.policy import Risk
from settlement.record import read_record, write_record
from settlement.seed import Seed
from tests.htlc.deals import make_terms
from tests.settlement.paper import PaperChain

SEED = Seed(bytes(range(64)))
OTHER = Seed(bytes(64))
RISK = Risk()
ROLES = [("option", "writer"), ("option", "holder"), ("swap", "initiator"), ("swap", "participant")]


def chains(**identities: str) -> dict[str, PaperChain]:
    return {name: PaperChain(name, identities.get(name)) for name in ("bitcoin", "evm")}


def wallets(found: dict[str, PaperChain], seed: Seed = SEED) -> dict:
    return {name: chain.wallet(seed.raw) for name, chain in found.items()}


def deal(name: str, role: str) -> Deal:
    """A deal whose contribution of ours is what the seed makes of our nonce."""
    terms, spoken, found = make_terms(name), protocol(name), chains()
    nonce = terms.parties[role].nonce
    ours = Contribution(
        SEED.identity().public,
        nonce,
        {label: hashlib.sha256(SEED.secret(nonce, label)).digest() for label in spoken.secrets(role)},
        {
            label: wallets(found)[terms.legs[leg].chain].key(nonce, label).public
            for label, leg in spoken.keys(role).items()
        },
    )
    networks = {chain: found[chain].identity for chain in terms.networks}
    terms = replace(terms, networks=networks, parties={**terms.parties, role: ours})
    since = dict.fromkeys(networks, 812_345)
    return Deal(terms.id, terms, role, RISK.guards(terms, found), since, min(terms.times.values()) - 9000)


def read(box: bytes, seed: Seed = SEED, **identities: str) -> Deal | None:
    found = chains(**identities)
    return read_record(box, seed, found, wallets(found, seed), RISK, "paper")


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_a_record_gives_back_what_was_agreed(name, role):
    agreed = deal(name, role)
    box = write_record(agreed, SEED)
    assert read(box) == agreed
    assert box == write_record(agreed, SEED), "the same record is never two different ciphertexts"
    assert len(box) < 420


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_nobody_else_reads_it(name, role):
    assert read(write_record(deal(name, role), SEED), OTHER) is None


BOX = write_record(deal("option", "writer"), SEED)


@given(st.integers(0, len(BOX) - 1), st.integers(1, 255))
def test_a_changed_byte_makes_it_no_record(place, change):
    damaged = bytearray(BOX)
    damaged[place] ^= change
    assert read(bytes(damaged)) is None


@given(st.binary(max_size=300))
def test_what_others_write_is_no_record(data):
    assert read(data) is None


def test_nothing_of_the_terms_can_be_seen():
    agreed = deal("option", "writer")
    for party in agreed.terms.parties.values():
        for piece in (party.nonce, bytes.fromhex(party.identity), *party.hashes.values()):
            assert piece[:4] not in BOX


def test_other_chains_are_refused():
    """Under the same names, another network or another contract: the legs would be sought where they are not."""
    with pytest.raises(WrongChain):
        read(BOX, evm="paper:another")
    found = {"bitcoin": PaperChain("bitcoin")}
    with pytest.raises(WrongChain):
        read_record(BOX, SEED, found, wallets(found), RISK, "paper")


def test_a_record_of_ours_without_sense_is_an_error():
    odd = replace(deal("swap", "initiator"), terms=replace(deal("swap", "initiator").terms, protocol="barter"))
    with pytest.raises(BadRecord):
        read(write_record(odd, SEED))


# --- packing ---------------------------------------------------------------------------------------------

addresses = st.sampled_from(
    ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"]
)
texts = st.text(max_size=40) | st.binary(max_size=40).map(bytes.hex) | addresses
plain = st.integers(-(2**63), 2**256 - 1) | texts
flat = st.lists(plain, max_size=5) | st.dictionaries(texts, plain, max_size=5)
documents = plain | st.lists(plain | flat, max_size=5) | st.dictionaries(texts, plain | flat, max_size=5)


@given(documents)
def test_what_is_packed_is_unpacked(document):
    assert unpack(pack(document)) == document


@given(st.binary(max_size=200))
def test_other_bytes_are_malformed_or_a_document(data):
    with contextlib.suppress(Malformed):
        unpack(data)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(Malformed):
        unpack(pack("a" * (MAX_UNPACKED + 1)))
