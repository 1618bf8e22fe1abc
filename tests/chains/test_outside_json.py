"""JSON from outside is read like any JSON, unless it nests too deeply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.outside_json import MAX_NESTING, TooDeep, loads

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=10,
)


@given(documents)
def test_it_reads_what_the_library_reads(document):
    text = json.dumps(document)
    assert loads(text) == loads(text.encode()) == document


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1)]
)
def test_it_refuses_what_nests_too_deeply(text):
    with pytest.raises(TooDeep):
        loads(text)


def test_the_deepest_that_is_read():
    text = "[" * MAX_NESTING + "]" * MAX_NESTING
    assert json.dumps(loads(text)) == text


def test_brackets_in_strings_do_not_count():
    document = ["[" * 1000, '\\"' + "{" * 1000, {"[" * 1000: "\\"}]
    assert loads(json.dumps(document)) == document


def test_it_is_a_value_error_for_what_is_no_json():
    for text in ('"', "[", '["\\', b"\xff", "nul"):
        with pytest.raises(ValueError):  # noqa: PT011 - any of the library's
            loads(text)
