"""One maker in two processes on one database: takers may reach either, and no part is sold twice."""

from __future__ import annotations

import asyncio

import pytest

from settlement.bodies import RefusalBody
from settlement.limits import Limits
from settlement.messages import Kind, Message, seal
from settlement.quotes import AskBody, TakeBody
from settlement.takings import TakingState
from tests.settlement.parties import Party, conditions
from tests.settlement.samples import AT
from tests.settlement.test_shared_mailbox import alice_and_two_bobs

pytestmark = pytest.mark.node

UNIT = 10**7
OPEN = Limits(per_peer=100, total=100)


async def shops(alice: Party, bobs: list[Party], limits: Limits) -> tuple[str, list[Message]]:
    """An offer of ten parts, served by both, and quotes of one for each of three parts: more than there is."""
    for bob in bobs:
        bob.limits = limits
        bob.build()
    own = await bobs[0].shop.publish(conditions(size=10 * UNIT, least=UNIT, step=UNIT))
    quotes = []
    for number in range(6):
        ask = AskBody(own.offer.id, 3 * UNIT, f"{number:032x}").to_json()
        message = seal(alice.seed.identity(), Kind.ASK, bobs[0].identity, ask, AT)
        quotes.append(await bobs[number % 2].shop.receive(message))
    assert {quote.kind for quote in quotes} == {Kind.QUOTE}
    return own.offer.id, quotes


async def take(alice: Party, bob: Party, quote: Message) -> Message:
    body = TakeBody(quote.text, "").to_json()
    return await bob.shop.receive(seal(alice.seed.identity(), Kind.TAKE, bob.identity, body, AT))


def codes(answers: list[Message]) -> list[str]:
    """How many were sold, and why the others were not."""
    refused = [RefusalBody.parse(answer.body).code for answer in answers if answer.kind is Kind.REFUSAL]
    return sorted(refused) + ["sold"] * (len(answers) - len(refused))


async def test_parts_that_are_taken_at_once_are_sold_once(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url) as (alice, *bobs):
        offer, quotes = await shops(alice, bobs, OPEN)
        answers = await asyncio.gather(*(take(alice, bobs[at % 2], quote) for at, quote in enumerate(quotes)))
        assert codes(answers) == ["SoldOut"] * 3 + ["sold"] * 3
        for bob in bobs:
            assert (await bob.shop.offer(offer)).remaining == UNIT
            assert [one.state for one in await bob.shop.takings(offer)] == [TakingState.RESERVED] * 3
        assert len(await bobs[0].store.book.proposals()) == 3


async def test_a_quote_that_is_taken_at_both_is_one_proposal(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url) as (alice, *bobs):
        offer, quotes = await shops(alice, bobs, OPEN)
        answers = await asyncio.gather(*(take(alice, bob, quotes[0]) for bob in (*bobs, *bobs)))
        assert {answer.kind for answer in answers} == {Kind.PROPOSAL}
        assert len({answer.text for answer in answers}) == 1
        assert (await bobs[1].shop.offer(offer)).remaining == 7 * UNIT


async def test_limits_hold_over_both(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url) as (alice, *bobs):
        _, quotes = await shops(alice, bobs, Limits(per_peer=2, total=100))
        answers = await asyncio.gather(*(take(alice, bobs[at % 2], quote) for at, quote in enumerate(quotes)))
        assert codes(answers) == ["TooManyTakings"] * 4 + ["sold"] * 2
