"""One attester, asked for what it should not sign: other terms than the writer's, a strike that is not there, not
deep, or came too late, deals of other quorums, garbage. What it signed it gives again, after a restart too."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest

from chains.legs import Quorum as Members
from chains.quorum import deal_member, threshold_of
from htlc.protocols import protocol
from relayer.attest.errors import NotOurQuorum, NotYet, TooLate
from relayer.attest.service import ATTESTATIONS, MEMBER
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from settlement.backup import MAX_BYTES, Descriptor, describe, read_descriptor
from settlement.errors import WrongChain
from tests.attesters import quorum
from tests.stage import stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

SHRINK = 20
PAIR = "bitcoin/evm"


@pytest.fixture(scope="module", params=("call", "put"))
async def asked(request, world):
    """A deal whose strike is being locked, the parties, and its three attesters, two of whom never answer."""
    chains, name = CHAIN_PAIRS[PAIR], f"asked-{request.param}"
    async with (
        quorum(world, name, chains, honest=1, silent=2) as members,
        stage(world, f"{name}-parties", chains, attesters=members.urls) as show,
    ):
        legs = plot("option", Outcome.EXERCISED, request.param, PAIR, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree("attested", "writer", small, kind=request.param)
        await show.second.wants(deal, exercise=True)
        ((_, attester),) = members.honest.items()
        yield show, members, attester, await show.second.party.store.deal(deal)


def asks(show, deal) -> Descriptor:
    """What the holder sends."""
    return read_descriptor(describe(deal, show.second.party.seed.identity()).text.encode())


def altered(show, deal, **changes) -> Descriptor:
    """The same with other terms, signed by the holder, as it could do."""
    terms = replace(deal.terms, **changes)
    return asks(show, replace(deal, id=terms.id, terms=terms))


def cheap(deal) -> dict:
    """Terms with a strike of next to nothing: everything else as the writer agreed to."""
    strike = deal.terms.legs["strike"]
    return {"legs": {**deal.terms.legs, "strike": replace(strike, amount=max(strike.amount // 1000, 1000))}}


async def test_it_is_the_deal_from_its_first_payment_to_its_last(asked, world):
    show, _, attester, deal = asked
    legs = protocol("attested").legs(deal.terms)
    wallet = show.second.party.wallets[legs["collateral"].chain]
    own = deal_member(attester.member, deal.terms.digest)

    async def good(consent: str) -> bool:
        return await wallet.check_consent(legs["collateral"], "exercise", own, consent)

    with pytest.raises(NotYet, match="strike"):
        await attester.attest(asks(show, deal))
    await show.until(lambda: show.signed(show.second, deal.id, "strike", "fund"))
    with pytest.raises(NotYet, match="1 blocks deep, 3 are needed"):
        await attester.attest(asks(show, deal))

    # A strike that would be there for next to nothing, at the very collateral, were it not for the members' keys.
    forged = altered(show, deal, **cheap(deal))
    theirs, ours = (protocol("attested").legs(one)["collateral"] for one in (forged.deal.terms, deal.terms))
    assert (theirs.salt, theirs.amount, theirs.path("refund")) == (ours.salt, ours.amount, ours.path("refund"))
    chain = show.second.party.chains[ours.chain]
    assert chain.address(theirs).address != chain.address(ours).address
    small = protocol("attested").legs(forged.deal.terms)["strike"]
    vault = show.second.party.chains[small.chain].address(small).address
    await world.pay(small.chain, small.asset, vault, small.amount)
    for _ in range(3):
        await world.step()
    with pytest.raises(NotYet, match="collateral is not there"):
        await attester.attest(forged)

    await world.step()
    consent = await attester.attest(asks(show, deal))
    assert await good(consent)
    assert await attester.attest(asks(show, deal)) == consent
    assert not await wallet.check_consent(ours, "exercise", own, consent[:-4] + "0000")

    again = type(attester)(
        attester._secret, attester._chains, attester._wallets, attester._folder, attester._longest
    )
    assert await good(await again.attest(asks(show, deal)))

    await show.until(lambda: show.closed(deal.id))  # nobody else signed: the strike went back
    assert {await player.outcome(deal.id) for player in show.players} == {"expired"}
    assert await again.attest(asks(show, deal)) == consent  # from its files
    for file in attester._folder.iterdir():
        file.unlink()
    with pytest.raises((NotYet, TooLate)):
        await again.attest(asks(show, deal))


async def test_deals_of_others_are_none_of_its_business(asked):
    show, members, attester, deal = asked
    others = tuple(sorted(member for member in members.urls if member != attester.member))
    terms = {"quorum": Members(threshold_of(len(others)), others)}
    with pytest.raises(NotOurQuorum):
        await attester.attest(altered(show, deal, **terms))
    networks = {**deal.terms.networks, "bitcoin": "bip122:000000000019d6689c085ae165831e93"}
    with pytest.raises(WrongChain):
        await attester.attest(altered(show, deal, networks=networks))


async def test_its_door_says_what_is_wrong(asked):
    show, members, attester, deal = asked
    url = members.urls[attester.member]
    descriptor = asks(show, deal).text
    others = tuple(sorted(member for member in members.urls if member != attester.member))
    foreign = altered(show, deal, quorum=Members(threshold_of(len(others)), others)).text
    async with aiohttp.ClientSession() as session:
        async with session.get(url + MEMBER) as answer:
            assert (await answer.text()).strip() == attester.member
        for body, status, code in (
            (b"", 400, "BadDescriptor"),
            (b"\xff{}", 400, "BadDescriptor"),
            (descriptor.replace(deal.id, deal.id[::-1]).encode(), 400, "BadDescriptor"),
            (foreign.encode(), 403, "NotOurQuorum"),
        ):
            async with session.post(url + ATTESTATIONS, data=body) as answer:
                assert (answer.status, (await answer.json())["code"]) == (status, code)
        async with session.post(url + ATTESTATIONS, data=b" " * (2 * MAX_BYTES)) as answer:
            assert answer.status == 413
        codes = set()
        for number in range(40):  # of deals that do not exist, each to be looked for
            terms = {"times": {**deal.terms.times, "strike": deal.terms.times["strike"] + 1 + number}}
            made = altered(show, deal, **terms).text
            async with session.post(url + ATTESTATIONS, data=made) as answer:
                codes.add((answer.status, (await answer.json())["code"]))
        assert codes == {(409, "NotYet"), (429, "TooManyDeals")}
        statuses = set()
        for _ in range(80):
            async with session.post(url + ATTESTATIONS, data=b"") as answer:
                statuses.add(answer.status)
        assert statuses == {400, 429}
