"""Members of a quorum: keys that commit to a deal, and signatures that come from strangers."""

from __future__ import annotations

import hashlib
import json

import pytest
from coincurve import PrivateKey, PublicKey
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import BadKey, BadPolicy
from chains.legs import MAX_MEMBERS, Leg, Path, Quorum
from chains.quorum import deal_member, deal_quorum, deal_secret, pack, threshold_of, unpack

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
KEYS = [PrivateKey(hashlib.sha256(b"member %d" % number).digest()) for number in range(MAX_MEMBERS + 1)]
MEMBERS = tuple(sorted(key.public_key.format().hex() for key in KEYS))
digests = st.binary(min_size=32, max_size=32)
secrets = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


@given(secrets, digests)
def test_a_members_two_halves_fit_in_every_deal(secret: bytes, digest: bytes) -> None:
    member = PrivateKey(secret).public_key.format().hex()
    assert PrivateKey(deal_secret(secret, digest)).public_key.format().hex() == deal_member(member, digest)
    assert deal_member(member, digest) != member


@given(secrets, digests)
def test_the_tweak_is_the_one_that_is_written_down(secret: bytes, digest: bytes) -> None:
    """By hand: P + int(SHA256(tag . tag . P . digest)) G."""
    tag = hashlib.sha256(b"strikelock/quorum/1").digest()
    public = PrivateKey(secret).public_key
    tweak = hashlib.sha256(tag + tag + public.format() + digest).digest()
    expected = PublicKey.combine_keys([public, PrivateKey(tweak).public_key])
    assert deal_member(public.format().hex(), digest) == expected.format().hex()


@given(digests, digests)
def test_another_deal_is_another_key(one: bytes, other: bytes) -> None:
    assert (deal_member(MEMBERS[0], one) == deal_member(MEMBERS[0], other)) == (one == other)


def test_a_quorum_keeps_its_order_and_its_threshold() -> None:
    quorum = Quorum(3, MEMBERS[:4])
    found = deal_quorum(quorum, bytes(32))
    assert found.threshold == 3
    assert found.members == tuple(deal_member(member, bytes(32)) for member in quorum.members)


def test_a_member_off_the_curve_is_refused() -> None:
    with pytest.raises(BadKey, match="curve"):
        deal_member("02" + "00" * 32, bytes(32))


@pytest.mark.parametrize(("count", "needed"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)])
def test_two_thresholds_overlap_in_more_than_a_third(count: int, needed: int) -> None:
    assert threshold_of(count) == needed
    assert 3 * (2 * needed - count) > count


@pytest.mark.parametrize(
    ("quorum", "error"),
    [
        (Quorum(0, MEMBERS[:3]), BadPolicy),
        (Quorum(4, MEMBERS[:3]), BadPolicy),
        (Quorum(1, ()), BadPolicy),
        (Quorum(7, MEMBERS), BadPolicy),
        (Quorum(2, (MEMBERS[0], MEMBERS[0])), BadPolicy),
        (Quorum(1, (MEMBERS[0].upper(),)), BadKey),
        (Quorum(1, ("0x" + "11" * 20,)), BadKey),
        (Quorum(1, (MEMBERS[0] + "00",)), BadKey),
    ],
)
def test_quorums_that_no_leg_can_have(quorum: Quorum, error: type[Exception]) -> None:
    leg = Leg("evm", "native", 1, bytes(32), (Path("exercise", "0x" + "11" * 20, quorum=quorum),))
    with pytest.raises(error):
        leg.check()


def test_what_members_sign_goes_through_text() -> None:
    quorum = Quorum(2, MEMBERS[:3])
    given_ = {MEMBERS[2]: "c", MEMBERS[0]: "a"}
    assert list(unpack([pack(given_)], quorum).items()) == [(MEMBERS[0], "a"), (MEMBERS[2], "c")]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, json.dumps({MEMBERS[0]: 3, MEMBERS[9]: "x"})]
)
def test_text_that_is_not_of_members_says_nothing(text: str) -> None:
    assert unpack([text], Quorum(2, MEMBERS[:3])) == {}
    assert unpack([], Quorum(2, MEMBERS[:3])) == {}
