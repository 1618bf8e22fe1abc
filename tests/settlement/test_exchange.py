"""Lost, repeated and late messages, restarts and changes of mind: both have the deal in the end, or neither."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import StrikelockError
from htlc.errors import UnknownAttester
from settlement.bodies import RefusalBody
from settlement.errors import AlreadyAnswered, BadValidity, OwnIdentity, ProposalExpired
from settlement.messages import Kind, Message, read
from settlement.store import Store
from settlement.store.errors import NoSuchProposal, StoreUnavailable
from tests.htlc.deals import QUORUM
from tests.settlement import parties
from tests.settlement.paper import PaperChain
from tests.settlement.parties import Party


class Wire:
    """Messages on their way between two parties; any may be dropped, repeated or delayed."""

    def __init__(self, *ends: Party) -> None:
        self.ends = {party.identity: party for party in ends}
        self.way: list[Message] = []

    async def resend(self, party: Party) -> None:
        for proposal in await party.store.book.pending():
            message = party.agreement.outgoing(proposal)
            if message is not None:
                self.way.append(message)

    async def deliver(self, index: int, keep: bool = False) -> None:
        message = self.way[index % len(self.way)]
        if not keep:
            self.way.remove(message)
        answer = await self.ends[message.recipient].agreement.receive(message)
        if answer is not None:
            self.way.append(answer)

    async def settle(self) -> None:
        """Let everything through until nobody has anything to say."""
        for _ in range(50):
            while self.way:
                await self.deliver(0)
            for party in self.ends.values():
                await self.resend(party)
            if not self.way:
                return
        raise AssertionError("the exchange does not end")


async def same_deal(alice: Party, bob: Party) -> None:
    (ours,), (theirs,) = await alice.store.deals(), await bob.store.deals()
    assert ours.terms == theirs.terms
    assert ours.id == theirs.id


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["deliver", "repeat", "drop"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["resend", "restart"]), st.integers(0, 1)),
    ),
    max_size=14,
)


@given(steps, st.booleans())
@settings(max_examples=20)
async def test_whatever_the_network_does_both_open_the_same_deal(tmp_path_factory, steps, asked):
    folder = tmp_path_factory.mktemp("exchange")
    async with parties.two(folder, auto=not asked, serve=False) as (alice, bob):
        for party, url in ((alice, "http://a"), (bob, "http://b")):
            party.agreement.url = url
        wire = Wire(alice, bob)
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        await wire.resend(alice)
        for step, choice in steps:
            if step in ("deliver", "repeat") and wire.way:
                await wire.deliver(choice, keep=step == "repeat")
            elif step == "drop" and wire.way:
                wire.way.pop(choice % len(wire.way))
            elif step == "resend":
                await wire.resend((alice, bob)[choice])
            elif step == "restart":
                (alice, bob)[choice].build()
            for one, other in ((alice, bob), (bob, alice)):
                if await one.store.deals() and not await other.store.deals():
                    assert await one.store.book.pending()  # who is ahead keeps telling the other
        if asked:
            if await bob.store.book.find(proposal.id) is None:
                wire.way.append(read(proposal.message.encode()))
                await wire.deliver(-1)
            await bob.agreement.accept(proposal.id)
        await wire.settle()
        await same_deal(alice, bob)
        for party in (alice, bob):
            assert not await party.store.book.pending()


async def test_every_message_twice_gives_the_same_answer_and_one_deal(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        message = read(proposal.message.encode())
        acceptance = await bob.agreement.receive(message)
        assert (await bob.agreement.receive(message)).text == acceptance.text
        acknowledgement = await alice.agreement.receive(acceptance)
        assert (await alice.agreement.receive(acceptance)).text == acknowledgement.text
        for _ in range(2):
            receipt = await bob.agreement.receive(acknowledgement)
            assert (receipt.kind, receipt.body["state"]) == (Kind.RECEIPT, "agreed")
        assert (await bob.agreement.receive(message)).text == acceptance.text
        await alice.agreement.receive(receipt)
        assert not await alice.store.book.pending()
        await same_deal(alice, bob)


async def test_a_proposer_that_can_not_be_reached_asks_again(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        alice.agreement.url = ""
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, bob.url)
        assert (await alice.mailer.send(proposal)).stage.name == "offered"
        await bob.agreement.accept(proposal.id)
        assert (await alice.mailer.send(proposal)).stage.name == "agreed"
        await same_deal(alice, bob)


async def test_a_user_declines_and_the_proposer_is_told(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        proposal = await alice.mailer.send(await alice.agreement.propose(parties.swap(), bob.identity, bob.url))
        declined = await bob.agreement.refuse(proposal.id)
        assert (declined.stage.name, declined.pending) == ("refused", True)
        assert not (await bob.mailer.send(declined)).pending
        told = await alice.store.book.proposal(proposal.id)
        assert (told.stage.name, told.stage.code, told.pending) == ("refused", "DeclinedByUser", False)
        for party, again in itertools.product((alice, bob), ("accept", "refuse")):
            with pytest.raises(AlreadyAnswered):
                await getattr(party.agreement, again)(proposal.id)


async def test_a_withdrawn_proposal_is_not_agreed_to_any_more(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        assert (await alice.agreement.refuse(proposal.id)).stage.name == "lapsed"
        refusal = await alice.agreement.receive(acceptance)
        assert RefusalBody.parse(refusal.body).code == "AlreadyAnswered"
        await bob.agreement.receive(refusal)
        assert (await bob.store.book.proposal(proposal.id)).stage.name == "refused"
        for party in (alice, bob):
            assert not await party.store.deals()
            assert not await party.store.book.pending()


async def test_what_nobody_answers_lapses(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        offer = parties.swap()
        proposal = await alice.agreement.propose(offer, bob.identity, "http://b")
        await bob.agreement.receive(read(proposal.message.encode()))
        for party in (alice, bob):
            await party.agreement.lapse()
        assert [await waiting(party) for party in (alice, bob)] == ["offered", "received"]
        alice.clock.time = proposal.until + 1  # both have the same clock here
        with pytest.raises(ProposalExpired):
            await bob.agreement.accept(proposal.id)
        for party in (alice, bob):
            await party.agreement.lapse()
        assert [await waiting(party) for party in (alice, bob)] == ["lapsed", "lapsed"]


async def waiting(party: Party) -> str:
    (proposal,) = await party.store.book.proposals()
    return proposal.stage.name


async def test_an_acceptance_holds_until_the_first_deadline(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        offer = parties.swap()
        proposal = await alice.agreement.propose(offer, bob.identity, "http://b")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        acknowledgement = await alice.agreement.receive(acceptance)
        alice.clock.time = max(proposal.until, *sorted(offer.times.values())[:1])
        await bob.agreement.lapse()
        assert await waiting(bob) == "accepted"
        alice.clock.time += 1
        await bob.agreement.lapse()
        assert await waiting(bob) == "lapsed"
        refusal = await bob.agreement.receive(acknowledgement)
        await alice.agreement.receive(refusal)
        (deal,) = await alice.store.deals()
        assert deal.will.stop  # they do not have the deal: nothing is funded any more
        assert not await alice.store.book.pending()


async def test_an_acknowledgement_refused_for_now_stops_nothing(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        acknowledgement = await alice.agreement.receive(acceptance)
        passing = bob.agreement._desk.refusal(alice.identity, acknowledgement.id, StoreUnavailable("db", "full"))
        await alice.agreement.receive(passing)
        assert not (await alice.store.deals())[0].will.stop
        assert await alice.store.book.pending()


async def test_a_refusal_from_somebody_else_means_nothing(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        mallory = dataclasses.replace(bob, seed=type(bob.seed)(b"\x09" * 64))
        refusal = mallory.agreement._desk.refusal(alice.identity, proposal.id, AlreadyAnswered("x", "x"))
        await alice.agreement.receive(refusal)
        assert (await alice.store.book.proposal(proposal.id)).stage.name == "offered"


async def test_what_we_do_not_propose(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        propose = alice.agreement.propose
        with pytest.raises(OwnIdentity):
            await propose(parties.swap(), alice.identity, "")
        for lasts in (0, -1, 10**9):
            with pytest.raises(BadValidity):
                await propose(dataclasses.replace(parties.swap(), lasts=lasts), bob.identity, "")
        with pytest.raises(NoSuchProposal):
            await bob.agreement.accept("00" * 32)
        assert not await alice.store.book.proposals()


BAD_OFFERS = {
    "UnknownProtocol": {"protocol": "lottery"},
    "MalformedTerms": {"role": "owner"},
    "UnsafeLadder": {"times": {"x": parties.AT + 200, "y": parties.AT + 100}},
    "Dust": {"legs": {**parties.swap().legs, "x": parties.LegTerms("bitcoin", "native", 1)}},
    "BadAsset": {"legs": {**parties.swap().legs, "x": parties.LegTerms("bitcoin", "gold", 10**6)}},
}


@pytest.mark.parametrize("code", BAD_OFFERS)
async def test_we_propose_nothing_that_we_would_not_accept(tmp_path, code):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        with pytest.raises(StrikelockError) as caught:
            await alice.agreement.propose(parties.swap(**BAD_OFFERS[code]), bob.identity, "")
        assert type(caught.value).__name__ == code
        assert not await alice.store.book.proposals()


def relying_on(party: Party, members: frozenset[str]) -> None:
    """From now on the party relies on these attesters."""
    risk = dataclasses.replace(party.policies.risk, attesters=members)
    party.policies = dataclasses.replace(party.policies, risk=risk)
    party.build()


async def test_both_rely_on_every_member_of_a_quorum_or_there_is_no_deal(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        offer = parties.attested(QUORUM)
        with pytest.raises(UnknownAttester):
            await alice.agreement.propose(offer, bob.identity, "")
        relying_on(alice, frozenset(QUORUM.members))
        relying_on(bob, frozenset(QUORUM.members[1:]))
        wire = Wire(alice, bob)
        refused = await alice.agreement.propose(offer, bob.identity, "")
        await wire.settle()
        stage = (await alice.store.book.proposal(refused.id)).stage
        assert (stage.name, stage.code) == ("refused", "UnknownAttester")
        relying_on(bob, frozenset(QUORUM.members) | {"02" + "11" * 32})
        await alice.agreement.propose(offer, bob.identity, "")
        await wire.settle()
        await same_deal(alice, bob)
        (deal,) = await alice.store.deals()
        assert deal.terms.quorum == QUORUM


class SlowChain(PaperChain):
    """Its node takes its time over the first question."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def fees(self):
        self.asked.set()
        await self.go_on.wait()
        return await super().fees()


async def test_two_processes_of_one_party_get_the_same_answer(tmp_path):
    """A command and the daemon may both be told of an acceptance; neither may refuse what the other took."""
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob), await reader(alice) as other:
        slow = SlowChain("bitcoin")
        twin = Party("alice", other, {**alice.chains, "bitcoin": slow}, alice.clock, alice.policies, alice.seed)
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        second = asyncio.create_task(twin.agreement.receive(acceptance))
        await slow.asked.wait()
        first = await alice.agreement.receive(acceptance)
        slow.go_on.set()
        assert (await second).text == first.text
        assert first.kind is Kind.ACKNOWLEDGEMENT
        assert len(await other.deals()) == 1


def reader(party: Party):
    return Store.open(party.store.name)


async def test_two_processes_of_one_party_accept_at_once(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob), await Store.open(bob.store.name) as other:
        twin = Party("bob", other, bob.chains, bob.clock, bob.policies, bob.seed)
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        await bob.agreement.receive(read(proposal.message.encode()))
        accepted = await asyncio.gather(*(party.agreement.accept(proposal.id) for party in (bob, twin)))
        assert len({one.stage.answer for one in accepted}) == 1
        await alice.agreement.receive(read(accepted[0].stage.answer.encode()))
        assert len(await alice.store.deals()) == 1


@pytest.mark.parametrize("which", ["alice", "bob"])
async def test_a_deal_that_comes_of_a_restored_proposal_is_limited(tmp_path, which):
    """It may have been open in what was lost, with signatures and promises that nobody remembers."""
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        victim = alice if which == "alice" else bob
        for path in list((tmp_path).glob(f"{which}.db*")):
            if not path.name.endswith((".epoch", ".lock")):
                (tmp_path / f"restored-{path.name}").write_bytes(path.read_bytes())
        async with await Store.open(str(tmp_path / f"restored-{which}.db"), drive=True) as restored:
            assert restored.restored
            victim.store = restored
            victim.build()
            await bob.agreement.receive(await alice.agreement.receive(acceptance))
            (deal,) = await restored.deals()
            assert deal.limited
            fresh = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
            acceptance = await bob.agreement.receive(read(fresh.message.encode()))
            await bob.agreement.receive(await alice.agreement.receive(acceptance))
            assert [one.limited for one in await restored.deals()] == [True, False]
