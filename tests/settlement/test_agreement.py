"""Proposal, acceptance, acknowledgement: both sides end with the same deal, whatever is lost on the way."""

from __future__ import annotations

import pytest

from htlc.protocols import protocol
from tests.settlement import parties
from tests.settlement.samples import AT


@pytest.mark.parametrize(
    "offer", [parties.swap(), parties.swap("participant"), parties.option(), parties.option("holder")]
)
async def test_both_sides_open_the_same_deal(tmp_path, offer):
    async with parties.two(tmp_path, auto=True) as (alice, bob):
        proposal = await alice.agreement.propose(offer, bob.identity, bob.url)
        assert (proposal.stage.name, proposal.pending) == ("offered", True)
        after = await alice.mailer.send(proposal)
        (ours,) = await alice.store.deals()
        (theirs,) = await bob.store.deals()
        assert after.stage.name == "agreed"
        assert not after.pending
        assert ours.terms == theirs.terms
        assert ours.id == theirs.id == after.stage.deal
        assert {ours.role, theirs.role} == set(protocol(offer.protocol).roles)
        assert ours.since == theirs.since == {"bitcoin": 494, "evm": 494}
        assert (ours.peer, theirs.peer) == (bob.url, alice.url)
        assert (await bob.store.book.proposals())[0].stage.name == "agreed"
        for party, deal in ((alice, ours), (bob, theirs)):
            for label in protocol(offer.protocol).secrets(deal.role):
                secret = party.seed.secret(deal.nonce, label)
                assert __import__("hashlib").sha256(secret).digest() == deal.terms.hash(deal.role, label)


async def test_a_user_accepts_later(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        sent = await alice.mailer.send(await alice.agreement.propose(parties.swap(), bob.identity, bob.url))
        assert sent.stage.name == "offered"
        (waiting,) = await bob.store.book.proposals("received")
        accepted = await bob.agreement.accept(waiting.id)
        assert not await alice.store.deals()
        assert not await bob.store.deals()
        assert (await bob.mailer.send(accepted)).stage.name == "agreed"
        assert (await alice.store.deals())[0].terms == (await bob.store.deals())[0].terms
        assert not await alice.store.book.pending()
        assert not await bob.store.book.pending()
        assert bob.clock.time == AT
