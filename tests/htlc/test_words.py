"""Words for people: every protocol has them."""

from __future__ import annotations

from htlc.protocols import PROTOCOLS
from htlc.protocols.words import WORDS


def test_every_protocol_has_words() -> None:
    assert WORDS.keys() == PROTOCOLS.keys()
