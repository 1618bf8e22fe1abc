"""Signed offers: one way to write them, a signature on every field, shares that round against the taker."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htlc.terms import canonical
from options.amounts import Rounding
from settlement.errors import (
    BadOffer,
    BadSize,
    MalformedMessage,
    OversizedMessage,
    UnsignedMessage,
    UnsupportedMessage,
    WrongSignature,
)
from settlement.messages import MAX_BYTES
from settlement.offers import MOST_SPREAD, MOST_VOL, Fixed, Place, Priced, read_offer, sign_offer
from settlement.seed import Identity
from tests.settlement.parties import conditions
from tests.settlement.samples import AT

MAKER = Identity(b"\x03" * 32)
NETWORKS = {"bitcoin": "paper:bitcoin", "evm": "paper:evm"}

amounts = st.integers(1, 2**128)
premiums = st.one_of(
    st.builds(Fixed, amounts), st.builds(Priced, st.integers(1, MOST_VOL), st.integers(0, MOST_SPREAD))
)


@st.composite
def offers(draw):
    """Conditions that hold together, with shares of at least one unit."""
    step, times, more = draw(st.integers(1, 10**6)), draw(st.integers(1, 50)), draw(st.integers(0, 500))
    size = step * (times + more)
    premium = draw(st.one_of(st.builds(Fixed, st.integers(size, 2**128)), premiums.filter(_is_priced)))
    return conditions(
        kind=draw(st.sampled_from(["call", "put"])),
        role=draw(st.sampled_from(["writer", "holder"])),
        networks=NETWORKS,
        size=size,
        least=step * times,
        step=step,
        strike=draw(st.integers(size, 2**128)),
        premium=premium,
        releases=draw(st.booleans()),
    )


def _is_priced(premium):
    return isinstance(premium, Priced)


@given(offers())
def test_an_offer_reads_back_as_it_was_signed(wanted):
    offer = sign_offer(MAKER, wanted, AT)
    again = read_offer(offer.text.encode())
    assert again == offer
    assert again.conditions == wanted
    assert again.maker == MAKER.public


def test_the_same_conditions_have_the_same_id_and_another_unit_another():
    wanted = conditions(networks=NETWORKS)
    ids = {
        sign_offer(MAKER, one, AT).id for one in (wanted, wanted, conditions(networks=NETWORKS, strike=10**20 + 1))
    }
    assert len(ids) == 2
    assert sign_offer(MAKER, wanted, AT + 1).id not in ids


def altered(**changes) -> bytes:
    """A good offer, changed after it was signed."""
    data = json.loads(sign_offer(MAKER, conditions(networks=NETWORKS), AT).text)
    data.update(changes)
    return canonical({name: value for name, value in data.items() if value is not None})


BAD = {
    "size": (altered(size="100000001"), WrongSignature),
    "strike": (altered(strike="1"), WrongSignature),
    "premium": (altered(premium={"fixed": "1"}), WrongSignature),
    "expiry": (altered(expiry=AT + 3 * 86_400), WrongSignature),
    "another maker": (altered(maker="11" * 32), WrongSignature),
    "unsigned": (altered(sig=None), UnsignedMessage),
    "a short signature": (altered(sig="00"), MalformedMessage),
    "a field more": (altered(extra=1), MalformedMessage),
    "a field less": (altered(step=None), MalformedMessage),
    "a newer version": (altered(v=2), UnsupportedMessage),
    "another protocol": (altered(protocol="attested"), UnsupportedMessage),
    "white space": (altered() + b" ", MalformedMessage),
    "a float": (altered().replace(b'"v":1', b'"v":1.0'), MalformedMessage),
    "no object": (b"[]", MalformedMessage),
    "nothing": (b"", MalformedMessage),
    "too long": (b" " * (MAX_BYTES + 1), OversizedMessage),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_a_bad_document_is_refused_by_its_name(case):
    raw, error = BAD[case]
    with pytest.raises(error):
        read_offer(raw)
    assert read_offer(altered()).conditions.size == 10**8


def signed(**changes) -> bytes:
    """A document that its maker did sign, though no code of ours would."""
    data = json.loads(sign_offer(MAKER, conditions(networks=NETWORKS), AT).text)
    data.update(changes)
    del data["sig"]
    from settlement.messages import tagged
    from settlement.offers import TAG

    return canonical({**data, "sig": MAKER.sign(tagged(TAG, data)).hex()})


SIGNED_NONSENSE = {
    "a size that is no multiple of the step": ({"size": "100000001"}, BadOffer),
    "a least above the size": ({"least": "100100000"}, BadOffer),
    "a least that is no multiple of the step": ({"least": "1000001"}, BadOffer),
    "an end after expiry": ({"until": AT + 2 * 86_400}, BadOffer),
    "an end before it was made": ({"until": AT}, BadOffer),
    "a network more": ({"networks": {**NETWORKS, "litecoin": "x"}}, BadOffer),
    "a network less": ({"networks": {"evm": "paper:evm"}}, BadOffer),
    "the same asset twice": ({"money": {"chain": "bitcoin", "asset": "native"}}, BadOffer),
    "a strike whose least share is nothing": ({"strike": "99", "role": "holder"}, BadOffer),
    "a size of zero": ({"size": "0"}, MalformedMessage),
    "a size as a number": ({"size": 10**8}, MalformedMessage),
    "a size of 2**256": ({"size": str(2**256)}, MalformedMessage),
    "a kind that is none": ({"kind": "straddle"}, MalformedMessage),
    "a role that is none": ({"role": "owner"}, MalformedMessage),
    "no volatility": ({"premium": {"vol": 0, "spread": 0}}, MalformedMessage),
    "a volatility as a truth": ({"premium": {"vol": True, "spread": 0}}, MalformedMessage),
    "two premiums": ({"premium": {"fixed": "1", "vol": 1, "spread": 0}}, MalformedMessage),
    "networks as a list": ({"networks": []}, MalformedMessage),
}


@pytest.mark.parametrize("case", SIGNED_NONSENSE, ids=str)
def test_nonsense_is_refused_though_it_is_signed(case):
    changes, error = SIGNED_NONSENSE[case]
    with pytest.raises(error):
        read_offer(signed(**changes))
    assert read_offer(signed()).maker == MAKER.public


# --- shares ----------------------------------------------------------------------------------------------


@given(offers(), st.data())
def test_a_share_rounds_against_the_taker_by_less_than_a_unit(wanted, data):
    size = wanted.step * data.draw(st.integers(wanted.least // wanted.step, wanted.size // wanted.step))
    legs = wanted.legs(size, wanted.fixed_premium(size) or 1)
    money = "strike" if wanted.kind == "call" else "collateral"
    totals = {money: wanted.strike}
    if isinstance(wanted.premium, Fixed):
        totals["premium"] = wanted.premium.amount
    for leg, total in totals.items():
        over = legs[leg].amount * wanted.size - total * size  # of 1 / size of a unit
        paid = wanted.funded_by_taker(leg)
        assert 0 <= (over if paid else -over) < wanted.size
        assert wanted.rounding(leg) is (Rounding.UP if paid else Rounding.DOWN)
    assert legs["collateral" if wanted.kind == "call" else "strike"].amount == size


@given(offers(), st.data())
def test_parts_never_cost_a_taker_less_than_the_whole(wanted, data):
    steps = wanted.size // wanted.step
    first = data.draw(st.integers(wanted.least // wanted.step, steps))
    rest = steps - first
    parts = [part * wanted.step for part in (first, rest) if part * wanted.step >= wanted.least]
    for leg in ("premium", "strike", "collateral"):
        whole = wanted.legs(wanted.size, wanted.fixed_premium(wanted.size) or 2)[leg].amount
        found = sum(wanted.legs(part, wanted.fixed_premium(part) or 1)[leg].amount for part in parts)
        if sum(parts) == wanted.size and (leg != "premium" or isinstance(wanted.premium, Fixed)):
            assert (found - whole) * (1 if wanted.funded_by_taker(leg) else -1) >= 0


@pytest.mark.parametrize("size", [0, 1, 10**6 - 10**5, 10**6 + 1, 10**8 + 10**5])
def test_a_size_off_the_steps_is_refused(size):
    wanted = conditions(networks=NETWORKS)
    with pytest.raises(BadSize) as caught:
        wanted.legs(size, 1)
    assert (caught.value.size, caught.value.least, caught.value.step) == (size, 10**6, 10**5)


def test_a_put_locks_money_and_its_premium_is_paid_in_the_underlying():
    put = conditions(kind="put", networks=NETWORKS)
    legs = put.legs(10**6, 5)
    assert (legs["collateral"].chain, legs["collateral"].amount) == ("evm", 10**18)
    assert (legs["strike"].chain, legs["strike"].amount) == ("bitcoin", 10**6)
    assert Place(legs["premium"].chain, legs["premium"].asset) == put.underlying
