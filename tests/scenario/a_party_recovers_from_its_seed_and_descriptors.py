"""A machine burns at each stage of an option and of a swap. What is left is the seed, and the descriptor that was
written when the deal opened; the other party goes on, or is gone too. Nobody loses more than fees and what the
documents say may be forfeited: a live option that was not used yet, a swap that was not claimed yet."""

from __future__ import annotations

import pytest

from tests.matrix import shared
from tests.recovering import ATTESTED, OPTION, SWAP, Fire, burn

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PAIRS = ("litecoin/evm", "bitcoin/litecoin", "evm/evm")
EACH = [
    (protocol, moment, loser)
    for protocol, moments in (("option", OPTION), ("swap", SWAP), ("attested", ATTESTED))
    for moment in moments
    for loser in ("first", "second")
]
# Each moment and loser, with the other party there or gone in turn; on other pairs each party in each protocol.
SHARE = [
    Fire(name, "bitcoin/evm", at, loser, alone=index % 3 == 2) for index, (name, at, loser) in enumerate(EACH)
]
SHARE += [
    Fire(protocol, pair, moment, loser)
    for pair in PAIRS
    for protocol, loser, moment in (
        ("option", "first", OPTION[4]),
        ("option", "second", OPTION[2]),
        ("swap", "first", SWAP[1]),
        ("swap", "second", SWAP[2]),
    )
]
WHOLE = [
    Fire(name, pair, at, loser, alone)
    for pair in ("bitcoin/evm", *PAIRS)
    for name, at, loser in EACH
    for alone in (False, True)
]


@pytest.mark.parametrize("fire", shared(SHARE, WHOLE), ids=lambda fire: fire.name)
async def test_nothing_is_lost_but_what_may_be_forfeited(world, fire):
    await burn(world, fire)
