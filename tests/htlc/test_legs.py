"""Leg files: what is written is read back, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import BadAmount, BadHash, BadPolicy, BadTime, LegError
from chains.legs import Leg, Path, Quorum
from htlc.errors import MalformedLeg
from htlc.legs import leg_to_json, parse_leg, read_leg

KEY = "02" + "11" * 32


def example() -> dict:
    return {
        "chain": "bitcoin",
        "asset": "native",
        "amount": 100_000,
        "salt": "22" * 32,
        "paths": [
            {"name": "claim", "to": KEY, "hashes": ["33" * 32], "signers": [], "after": None},
            {"name": "refund", "to": KEY, "hashes": [], "signers": [], "after": 1_800_000_000},
        ],
    }


def test_a_leg_file_is_read() -> None:
    leg = read_leg(json.dumps(example()))
    assert leg.amount == 100_000
    assert leg.path("claim") == Path("claim", KEY, (b"\x33" * 32,))
    assert leg.path("refund").after == 1_800_000_000
    assert leg_to_json(leg) == example()


def test_a_quorum_stands_in_a_leg_file_where_there_is_one() -> None:
    file = example()
    members = ["02" + "11" * 32, "03" + "11" * 32]
    file["paths"][0]["quorum"] = {"threshold": 2, "members": members}
    leg = read_leg(json.dumps(file))
    assert leg.path("claim").quorum == Quorum(2, tuple(members))
    assert leg_to_json(leg) == file
    for wrong in (
        None,
        2,
        [],
        {"threshold": 2},
        {"threshold": "2", "members": members},
        {"threshold": 2, "members": members, "more": 1},
        {"threshold": 2, "members": [1, 2]},
    ):
        file["paths"][0]["quorum"] = wrong
        with pytest.raises(MalformedLeg, match=r"paths\[0\].quorum"):
            read_leg(json.dumps(file))
    file["paths"][0]["quorum"] = {"threshold": 3, "members": members}
    with pytest.raises(BadPolicy, match="no quorum of 3 of 2"):
        read_leg(json.dumps(file))


hashes = st.lists(st.binary(min_size=32, max_size=32).filter(any), max_size=2, unique=True).map(tuple)
words = st.text("abcdefghijklmnop0123456789.-", min_size=1, max_size=20)
paths = st.builds(
    Path,
    name=words,
    to=words,
    hashes=hashes,
    signers=st.lists(words, max_size=3).map(tuple),
    after=st.none() | st.integers(500_000_000, 2**31 - 1),
)
legs = st.builds(
    Leg,
    chain=words,
    asset=words,
    amount=st.integers(1, 2**256 - 1),
    salt=st.binary(min_size=32, max_size=32),
    paths=st.lists(paths, min_size=1, max_size=4, unique_by=lambda path: path.name).map(tuple),
)


@given(legs)
def test_every_leg_survives_the_way_out_and_in(leg: Leg) -> None:
    assert read_leg(json.dumps(leg_to_json(leg))) == leg


@pytest.mark.parametrize(("change", "error"), [
    ({"amount": 0}, BadAmount),
    ({"amount": "100000"}, MalformedLeg),
    ({"amount": True}, MalformedLeg),
    ({"salt": "22" * 31}, MalformedLeg),
    ({"salt": "GG" * 32}, MalformedLeg),
    ({"chain": ""}, MalformedLeg),
    ({"asset": 7}, MalformedLeg),
    ({"paths": []}, BadPolicy),
    ({"paths": {}}, MalformedLeg),
    ({"extra": 1}, MalformedLeg),
])  # fmt: skip
def test_a_leg_with_a_bad_field_is_refused(change, error) -> None:
    with pytest.raises(error):
        parse_leg(example() | change)


@pytest.mark.parametrize(("change", "error"), [
    ({"hashes": ["33" * 31]}, MalformedLeg),
    ({"hashes": ["00" * 32]}, BadHash),
    ({"hashes": ["33" * 32, "33" * 32]}, BadHash),
    ({"hashes": ["33" * 32, "34" * 32, "35" * 32]}, BadPolicy),
    ({"after": 499_999_999}, BadTime),
    ({"after": 2**31}, BadTime),
    ({"after": 1.5}, MalformedLeg),
    ({"name": "refund"}, BadPolicy),
    ({"signers": [1]}, MalformedLeg),
])  # fmt: skip
def test_a_path_with_a_bad_field_is_refused(change, error) -> None:
    data = example()
    data["paths"][0] |= change
    with pytest.raises(error):
        parse_leg(data)


@pytest.mark.parametrize("field", ["chain", "asset", "amount", "salt", "paths"])
def test_a_missing_field_is_named(field) -> None:
    data = example()
    del data[field]
    with pytest.raises(MalformedLeg) as caught:
        parse_leg(data)
    assert caught.value.field == f"leg.{field}"


@pytest.mark.parametrize("text", [
    "", "[", "null", "[]", '{"amount": 1e3}', '{"amount": NaN}', '{"chain": "a", "chain": "b"}',
    "[" * 100_000, "x" * 70_000, "[" * 60_000, '{"amount": ' + "9" * 5000 + "}",
])  # fmt: skip
def test_text_that_is_no_leg_is_refused(text) -> None:
    with pytest.raises(MalformedLeg):
        read_leg(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_whatever_comes_in_only_typed_errors_come_out(data) -> None:
    with pytest.raises((MalformedLeg, LegError)):
        parse_leg(data)
