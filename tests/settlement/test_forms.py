"""Stored forms read back as what was stored, and anything else is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

from chains.port import TxPhase, TxState
from htlc.protocols.base import Will
from settlement.proposal import Accepted, Agreed, Lapsed, Offered, Received, Refused
from settlement.store import forms
from settlement.store.errors import DamagedRecord
from settlement.store.types import MAX_UINT256, Uint256
from tests.htlc.deals import ATTESTED_TERMS, OPTION_TERMS
from tests.settlement.samples import all_guards, all_terms, counts, texts

heights = st.dictionaries(st.sampled_from(["bitcoin", "evm"]), counts)
stages = st.one_of(
    st.builds(Offered, all_guards, heights),
    st.builds(Received),
    st.builds(Accepted, texts, texts, all_guards, heights),
    st.builds(Agreed, texts, texts, texts),
    st.builds(Refused, texts, texts, texts),
    st.builds(Lapsed, texts),
)
states = st.builds(TxState, st.sampled_from(TxPhase), counts, st.booleans(), st.integers(0, 2**256 - 1), counts)


def test_terms_with_a_quorum_have_a_form_of_their_own():
    """Whoever reads only the first form must not take them for an option without one."""
    stored = forms.dump_terms(ATTESTED_TERMS)
    assert json.loads(stored)["form"] == "terms/2"
    assert forms.load_terms(stored) == ATTESTED_TERMS
    assert json.loads(forms.dump_terms(OPTION_TERMS))["form"] == "terms/1"
    assert forms.load_terms(forms.dump_terms(OPTION_TERMS)) == OPTION_TERMS


@given(all_terms, all_guards, stages, states, heights)
def test_what_is_stored_reads_back(terms, guards, stage, state, since):
    assert forms.load_terms(forms.dump_terms(terms)) == terms
    assert forms.load_guards(forms.dump_guards(guards)) == guards
    assert forms.load_stage(forms.dump_stage(stage)) == stage
    assert forms.load_tx_state(forms.dump_tx_state(state)) == state
    assert forms.load_since(forms.dump_since(since)) == since


@pytest.mark.parametrize("exercise", [False, True])
@pytest.mark.parametrize("stop", [False, True])
def test_a_will_reads_back(exercise, stop):
    will = Will(exercise=exercise, let_go=not stop, stop=stop)
    assert forms.load_will(forms.dump_will(will)) == will


@pytest.mark.parametrize(
    "stored",
    ["", "null", "[]", "{}", '{"form":"guards/2","outage":1,"chains":{}}', '{"form":"guards/1"}', '{"form":[]}'],
)
def test_a_form_that_is_not_ours_is_refused(stored):
    with pytest.raises(DamagedRecord):
        forms.load_guards(stored)


@given(st.lists(st.integers(0, MAX_UINT256), min_size=1, max_size=20))
def test_uint256_keeps_every_digit_and_sorts_as_a_number(values):
    table = Table("t", MetaData(), Column("n", Integer, primary_key=True), Column("v", Uint256))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"v": value} for value in values])
        assert list(connection.execute(select(table.c.v).order_by(table.c.v)).scalars()) == sorted(values)
    engine.dispose()


@pytest.mark.parametrize("value", [-1, MAX_UINT256 + 1])
def test_uint256_refuses_what_it_can_not_hold(value):
    with pytest.raises(DamagedRecord):
        Uint256().process_bind_param(value, create_engine("sqlite://").dialect)
