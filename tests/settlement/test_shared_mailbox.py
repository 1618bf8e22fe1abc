"""One party in two processes: counterparties may reach either, and are answered once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from settlement.messages import read
from settlement.store import Store
from tests.settlement import parties
from tests.settlement.parties import Clock, Party, make

pytestmark = pytest.mark.node


@contextlib.asynccontextmanager
async def alice_and_two_bobs(folder, url: str, auto: bool = True):
    clock = Clock()
    async with (
        await Store.open(str(folder / "alice.db"), drive=True) as ours,
        await Store.open(url, drive=True) as one,
        await Store.open(url, drive=True) as two,
    ):
        yield make("alice", ours, clock), make("bob", one, clock, auto), make("bob", two, clock, auto)


async def both(bobs: tuple[Party, Party], message) -> set[str]:
    """What both processes answer to one message that reaches them at once."""
    answers = await asyncio.gather(*(bob.agreement.receive(message) for bob in bobs))
    return {answer.text for answer in answers}


async def test_a_proposal_that_reaches_both_is_accepted_once(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url) as (alice, *bobs):
        for number in range(5):
            proposal = await alice.agreement.propose(parties.swap(), bobs[0].identity, "http://bob")
            (acceptance,) = await both(bobs, read(proposal.message.encode()))
            acknowledgement = await alice.agreement.receive(read(acceptance.encode()))
            receipts = await asyncio.gather(*(bob.agreement.receive(acknowledgement) for bob in bobs))
            assert {receipt.body["state"] for receipt in receipts} == {"agreed"}
            assert len(await bobs[0].store.open_deals()) == number + 1
        found = [{deal.id for deal in await bob.store.deals()} for bob in bobs]
        assert found[0].isdisjoint(found[1])
        theirs = {deal.id: deal.terms for deal in await bobs[0].store.open_deals()}
        assert {deal.id: deal.terms for deal in await alice.store.deals()} == theirs


async def test_an_acceptance_that_reaches_both_opens_one_deal(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url) as (alice, *bobs):
        proposal = await bobs[0].agreement.propose(parties.swap(), alice.identity, "http://alice")
        await alice.agreement.receive(read(proposal.message.encode()))
        accepted = await alice.agreement.accept(proposal.id)
        acceptance = alice.agreement.outgoing(accepted)
        (acknowledgement,) = await both(bobs, acceptance)
        assert len(await bobs[1].store.open_deals()) == 1
        await alice.agreement.receive(read(acknowledgement.encode()))
        assert len(await alice.store.deals()) == 1


async def test_what_one_process_was_told_to_accept_the_other_may_send(tmp_path, postgres_url):
    async with alice_and_two_bobs(tmp_path, postgres_url, auto=False) as (alice, one, two):
        proposal = await alice.agreement.propose(parties.swap(), one.identity, "http://bob")
        await one.agreement.receive(read(proposal.message.encode()))
        decided = await asyncio.gather(one.agreement.accept(proposal.id), two.agreement.accept(proposal.id))
        assert decided[0] == decided[1]
        (pending,) = await two.store.book.pending()
        acknowledgement = await alice.agreement.receive(two.agreement.outgoing(pending))
        await one.agreement.receive(acknowledgement)
        assert len(await two.store.open_deals()) == 1
