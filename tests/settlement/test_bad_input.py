"""Every bad message gets its own typed answer, and leaves the database as it was."""

from __future__ import annotations

import copy
import hashlib
import json
import sqlite3
from contextlib import closing

import pytest
import pytest_asyncio

from htlc.terms import canonical
from settlement.bodies import RefusalBody
from settlement.errors import (
    MalformedMessage,
    NotForUs,
    OversizedMessage,
    OwnIdentity,
    UnsignedMessage,
    UnsupportedMessage,
    WrongSignature,
)
from settlement.messages import MAX_BYTES, Kind, Message, read, seal, unseal
from settlement.seed import Identity
from tests.settlement import parties
from tests.settlement.samples import AT


def content(party) -> list[str]:
    """Everything in a party's database but the count of changes."""
    with closing(sqlite3.connect(party.store.name)) as connection:
        return [line for line in connection.iterdump() if '"changes"' not in line]


def reseal(party, message: Message, change) -> Message:
    """The message with its body changed, signed again by `party`."""
    body = copy.deepcopy(json.loads(message.text)["body"])
    change(body)
    return seal(party.seed.identity(), message.kind, message.recipient, body, message.at)


def put(*path_and_value):
    """A change: put a value at a path in the body."""
    *path, last, value = path_and_value

    def change(body):
        for name in path:
            body = body[name]
        if value is None:
            del body[last]
        else:
            body[last] = value(body[last]) if callable(value) else value

    return change


def all_of(*changes):
    def change(body):
        for one in changes:
            one(body)

    return change


async def refused(party, message: Message) -> str:
    """The code of the refusal that a message gets; the database must not change by it."""
    before = content(party)
    answer = await party.agreement.receive(message)
    assert answer is not None
    assert answer.kind is Kind.REFUSAL, answer
    body = RefusalBody.parse(answer.body)
    assert body.of == message.id
    assert body.reason
    assert content(party) == before
    return body.code


ME = ("terms", "parties", "initiator")
TIMES = ("terms", "times")

PROPOSALS = {
    "zero hash": (put(*ME, "hashes", "s", "00" * 32), "MalformedTerms"),
    "hash of 31 bytes": (put(*ME, "hashes", "s", "11" * 31), "MalformedTerms"),
    "hash of 33 bytes": (put(*ME, "hashes", "s", "11" * 33), "MalformedTerms"),
    "a hash more": (put(*ME, "hashes", lambda hashes: {**hashes, "t": "11" * 32}), "MalformedTerms"),
    "one hash twice": (put(*ME, "hashes", lambda hashes: {**hashes, "t": hashes["s"]}), "HashReused"),
    "no hash": (put(*ME, "hashes", {}), "MalformedTerms"),
    "a key less": (put(*ME, "keys", "y.to", None), "MalformedTerms"),
    "nonce of 15 bytes": (put(*ME, "nonce", "11" * 15), "MalformedTerms"),
    "somebody else's identity": (put(*ME, "identity", "ab" * 32), "WrongParty"),
    "wrong network": (put("terms", "networks", "evm", "paper:other"), "WrongChain"),
    "unknown chain": (
        all_of(
            put(
                "terms",
                "networks",
                lambda old: {"bitcoin": old["bitcoin"], "dogecoin": "paper:dogecoin"},
            ),
            put("terms", "legs", "y", "chain", "dogecoin"),
        ),
        "WrongChain",
    ),
    "a network too many": (
        put("terms", "networks", lambda networks: {**networks, "dogecoin": "paper:dogecoin"}),
        "WrongChain",
    ),
    "leg on no network": (put("terms", "legs", "y", "chain", "dogecoin"), "MalformedTerms"),
    "unknown asset": (put("terms", "legs", "y", "asset", "gold"), "BadAsset"),
    "dust": (put("terms", "legs", "x", "amount", "999"), "Dust"),
    "zero amount": (put("terms", "legs", "x", "amount", "0"), "MalformedTerms"),
    "negative amount": (put("terms", "legs", "x", "amount", "-1"), "MalformedTerms"),
    "amount as a number": (put("terms", "legs", "x", "amount", 10**6), "MalformedTerms"),
    "amount of 2**256": (put("terms", "legs", "x", "amount", str(2**256)), "MalformedTerms"),
    "one second too tight": (put(*TIMES, "x", lambda time: time - 1), "UnsafeLadder"),
    "deadlines in the wrong order": (
        put(*TIMES, lambda times: {"x": times["y"], "y": times["x"]}),
        "MalformedTerms",
    ),
    "a year long": (put(*TIMES, "x", lambda time: time + 365 * 86400), "LadderTooLong"),
    "time as a block height": (put(*TIMES, "y", 499_999_999), "MalformedTerms"),
    "time past 2**31": (put(*TIMES, "x", 2**31), "MalformedTerms"),
    "unknown option": (put("terms", "options", {"turbo": "yes"}), "MalformedTerms"),
    "unknown protocol": (put("terms", "protocol", "lottery"), "UnknownProtocol"),
    "another protocol": (put("terms", "protocol", "option"), "MalformedTerms"),
    "no leg": (put("terms", "legs", {}), "MalformedTerms"),
    "a role that is not there": (
        all_of(put("role", "owner"), put("terms", "parties", lambda old: {"owner": old["initiator"]})),
        "MalformedTerms",
    ),
    "another role than the contribution's": (put("role", "participant"), "MalformedTerms"),
    "both contributions": (
        put("terms", "parties", lambda old: {**old, "participant": old["initiator"]}),
        "MalformedTerms",
    ),
    "expired": (put("until", AT - 1), "ProposalExpired"),
    "good for a year": (put("until", AT + 365 * 86400), "BadValidity"),
    "url of another kind": (put("url", "file:///etc/passwd"), "MalformedMessage"),
    "url with a password": (put("url", "http://a:b@localhost"), "MalformedMessage"),
    "unknown field": (put("terms", lambda terms: {**terms, "extra": 1}), "MalformedTerms"),
    "unknown field at the top": (lambda body: body.update(extra=1), "MalformedMessage"),
    "missing field": (put("until", None), "MalformedMessage"),
    "null for terms": (put("terms", lambda _: []), "MalformedTerms"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(tmp_path_factory):
    """Two parties for every case of a table: what is refused changes nothing, so they may share them."""
    async with parties.two(tmp_path_factory.mktemp("pair"), auto=True, serve=False) as both:
        yield both


@pytest.mark.parametrize("case", PROPOSALS, ids=str)
async def test_a_bad_proposal_is_refused_by_its_name(pair, case):
    change, code = PROPOSALS[case]
    alice, bob = pair
    proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
    message = reseal(alice, read(proposal.message.encode()), change)
    assert await refused(bob, message) == code
    good = await bob.agreement.receive(read(proposal.message.encode()))
    assert good.kind is Kind.ACCEPTANCE  # what was refused has used nothing up


async def test_a_hash_a_nonce_and_a_preimage_are_used_once(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        first = read((await alice.agreement.propose(parties.swap(), bob.identity, "")).message.encode())
        second = read((await alice.agreement.propose(parties.swap(), bob.identity, "")).message.encode())
        assert (await bob.agreement.receive(first)).kind is Kind.ACCEPTANCE
        party = first.body["terms"]["parties"]["initiator"]
        again = reseal(alice, second, put(*ME, "hashes", party["hashes"]))
        assert await refused(bob, again) == "HashReused"
        again = reseal(alice, second, put(*ME, "nonce", party["nonce"]))
        assert await refused(bob, again) == "NonceReused"
        ack = await alice.agreement.receive(await bob.agreement.receive(first))
        assert (await bob.agreement.receive(ack)).kind is Kind.RECEIPT
        (deal,) = await bob.store.deals()
        secret = b"\x05" * 32
        await bob.store.learn(deal.id, {hashlib.sha256(secret).digest(): secret})
        known = reseal(alice, second, put(*ME, "hashes", "s", hashlib.sha256(secret).hexdigest()))
        assert await refused(bob, known) == "PreimageKnown"


async def test_a_key_of_ours_is_refused_as_theirs(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        bob.wallets["evm"].key = lambda nonce, label: alice.wallets["evm"].key(b"", "same")
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        same = alice.wallets["evm"].key(b"", "same").public
        message = reseal(alice, read(proposal.message.encode()), put(*ME, "keys", "y.to", same.upper()))
        assert await refused(bob, message) == "KeyReused"


async def test_coin_that_costs_more_than_it_is_worth_is_dust(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        bob.chains["bitcoin"].price = 10**4
        assert await refused(bob, read(proposal.message.encode())) == "Dust"


async def test_a_node_that_is_away_refuses_for_now_only(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        message = read(proposal.message.encode())
        bob.chains["bitcoin"].away = True
        answer = await bob.agreement.receive(message)
        assert RefusalBody.parse(answer.body).code == "ChainUnavailable"
        await alice.agreement.receive(answer)
        assert (await alice.store.book.proposal(proposal.id)).stage.name == "offered"
        bob.chains["bitcoin"].away = False
        assert (await bob.agreement.receive(message)).kind is Kind.ACCEPTANCE


async def test_only_so_many_proposals_wait(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        limit = bob.policies.accept.max_waiting_per_peer
        messages = [
            read((await alice.agreement.propose(parties.swap(), bob.identity, "")).message.encode())
            for _ in range(limit + 1)
        ]
        for message in messages[:limit]:
            assert (await bob.agreement.receive(message)).kind is Kind.RECEIPT
        assert await refused(bob, messages[limit]) == "TooManyProposals"


# --- acceptances: the counterparty's legs and terms, off by one unit ------------------------------------------


def plus(text: str) -> str:
    return str(int(text) + 1)


def flip(text: str) -> str:
    """The same text with its last character changed."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


THEM = ("terms", "parties", "participant")

ACCEPTANCES = {
    "amount in the terms": (put("terms", "legs", "x", "amount", plus), "LegMismatch", "amount"),
    "asset in the terms": (put("terms", "legs", "y", "asset", "native"), "LegMismatch", "asset"),
    "deadline in the terms": (put(*TIMES, "y", lambda time: time + 1), "TermsMismatch", "times.y"),
    "network": (put("terms", "networks", "evm", flip), "TermsMismatch", "networks.evm"),
    "option": (put("terms", "options", {"a": "b"}), "TermsMismatch", "options.a"),
    "our key": (put(*ME, "keys", "x.to", flip), "TermsMismatch", "keys.x.to"),
    "our hash": (put(*ME, "hashes", "s", flip), "TermsMismatch", "hashes.s"),
    "our nonce": (put(*ME, "nonce", flip), "TermsMismatch", "nonce"),
    "us missing": (put(*ME, None), "TermsMismatch", "parties.initiator"),
    "them missing": (put(*THEM, None), "MalformedTerms", "participant"),
    "their identity": (put(*THEM, "identity", flip), "WrongParty", "participant"),
    "a hash of theirs": (put(*THEM, "hashes", {"t": "11" * 32}), "MalformedTerms", "t"),
    "a third party": (put("terms", "parties", lambda old: {**old, "third": old["initiator"]}), "HashReused", ""),
    "amount of the leg": (put("legs", "x", "amount", plus), "LegMismatch", "amount"),
    "script of the leg": (put("legs", "x", "script", flip), "LegMismatch", "script"),
    "address of the leg": (put("legs", "y", "address", flip), "LegMismatch", "address"),
    "salt of the leg": (put("legs", "y", "salt", flip), "LegMismatch", "salt"),
    "key of the leg": (put("legs", "x", "claim.to", flip), "LegMismatch", "claim.to"),
    "hash of the leg": (put("legs", "y", "claim.hashes", flip), "LegMismatch", "claim.hashes"),
    "deadline of the leg": (put("legs", "x", "refund.after", plus), "LegMismatch", "refund.after"),
    "a signer of the leg": (put("legs", "x", "refund.signers", "02ab"), "LegMismatch", "refund.signers"),
    "chain of the leg": (put("legs", "x", "chain", "evm"), "LegMismatch", "chain"),
    "a field of the leg less": (put("legs", "x", "script", None), "LegMismatch", "script"),
    "a field of the leg more": (put("legs", "x", lambda leg: {**leg, "z": "1"}), "LegMismatch", "z"),
    "a leg less": (put("legs", "x", None), "LegMismatch", "x"),
    "a leg more": (put("legs", lambda legs: {**legs, "z": {"chain": "evm"}}), "LegMismatch", "z"),
    "a leg that is no object": (put("legs", "x", "x"), "MalformedMessage", "legs"),
    "another proposal": (put("proposal", "00" * 32), "NoSuchProposal", ""),
}


@pytest.mark.parametrize("case", ACCEPTANCES, ids=str)
async def test_a_bad_acceptance_is_refused_and_opens_nothing(pair, case):
    change, code, named = ACCEPTANCES[case]
    alice, bob = pair
    proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
    acceptance = await bob.agreement.receive(read(proposal.message.encode()))
    bad = reseal(bob, acceptance, change)
    assert await refused(alice, bad) == code
    answer = await alice.agreement.receive(bad)
    assert named in RefusalBody.parse(answer.body).reason
    before = await alice.store.deals()
    acknowledgement = await alice.agreement.receive(acceptance)  # the good one still opens the deal
    assert acknowledgement.kind is Kind.ACKNOWLEDGEMENT
    assert len(await alice.store.deals()) == len(before) + 1
    assert await refused(alice, bad) in {code, "AlreadyAnswered"}


async def test_chains_that_build_other_addresses_make_no_deal(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        bob.chains["evm"].twist = "another factory"
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        answer = await alice.agreement.receive(acceptance)
        refusal = RefusalBody.parse(answer.body)
        assert (refusal.code, "address" in refusal.reason) == ("LegMismatch", True)
        await bob.agreement.receive(answer)
        stage = (await bob.store.book.proposal(proposal.id)).stage
        assert (stage.name, stage.code) == ("refused", "LegMismatch")


async def test_an_acceptance_by_somebody_else_or_too_late_is_refused(tmp_path):
    async with parties.two(tmp_path, auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        acceptance = await bob.agreement.receive(read(proposal.message.encode()))
        mallory = Identity(b"\x07" * 32)
        stolen = seal(mallory, Kind.ACCEPTANCE, alice.identity, acceptance.body, AT)
        assert await refused(alice, stolen) == "UnexpectedSender"
        alice.clock.time = proposal.until + 1
        assert await refused(alice, acceptance) == "ProposalExpired"


ACKNOWLEDGEMENTS = {
    "another deal": (put("deal", flip), "TermsMismatch"),
    "a leg's address": (put("legs", "x", "address", flip), "LegMismatch"),
    "a leg less": (put("legs", "x", None), "LegMismatch"),
    "another proposal": (put("proposal", flip), "NoSuchProposal"),
    "a field more": (lambda body: body.update(extra=1), "MalformedMessage"),
}


@pytest.mark.parametrize("case", ACKNOWLEDGEMENTS, ids=str)
async def test_a_bad_acknowledgement_is_refused_and_opens_nothing(pair, case):
    change, code = ACKNOWLEDGEMENTS[case]
    alice, bob = pair
    proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
    acceptance = await bob.agreement.receive(read(proposal.message.encode()))
    acknowledgement = await alice.agreement.receive(acceptance)
    before = await bob.store.deals()
    assert await refused(bob, reseal(alice, acknowledgement, change)) == code
    assert (await bob.agreement.receive(acknowledgement)).kind is Kind.RECEIPT
    assert len(await bob.store.deals()) == len(before) + 1


async def test_messages_that_fit_no_stage_are_refused(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "")
        message = read(proposal.message.encode())
        await bob.agreement.receive(message)
        early = seal(
            alice.seed.identity(),
            Kind.ACKNOWLEDGEMENT,
            bob.identity,
            {"proposal": proposal.id, "deal": "00" * 16, "legs": {}},
            AT,
        )
        assert await refused(bob, early) == "UnexpectedMessage"
        odd = seal(alice.seed.identity(), Kind.RELEASE, bob.identity, {}, AT)
        assert await refused(bob, odd) == "UnexpectedMessage"


# --- the envelope ----------------------------------------------------------------------------------------

US, THEY = Identity(b"\x01" * 32), Identity(b"\x02" * 32)


def envelope(**changes) -> bytes:
    """A good message from THEY to US, changed after signing."""
    data = json.loads(seal(THEY, Kind.RECEIPT, US.public, {"of": "00" * 32, "state": "x"}, AT).text)
    data.update(changes)
    return canonical({name: value for name, value in data.items() if value is not None})


ENVELOPES = {
    "empty": (b"", MalformedMessage),
    "not JSON": (b"hello", MalformedMessage),
    "not an object": (b"[]", MalformedMessage),
    "NaN": (b'{"v":NaN}', MalformedMessage),
    "a float": (b'{"v":1.0}', MalformedMessage),
    "10**400": (b'{"v":1' + b"0" * 400 + b"}", MalformedMessage),
    "10**5000": (b'{"v":1' + b"0" * 5000 + b"}", MalformedMessage),
    "white space": (envelope() + b" ", MalformedMessage),
    "a name twice": (envelope()[:-1] + b',"v":1}', MalformedMessage),
    "not ASCII": ('{"é":1}'.encode(), MalformedMessage),
    "not UTF-8": (b'{"\xff":1}', MalformedMessage),
    "too deep": (b'{"a":' * 20 + b"1" + b"}" * 20, MalformedMessage),
    "far too deep": (b"[" * 60_000, MalformedMessage),
    "too long": (b" " * (MAX_BYTES + 1), OversizedMessage),
    "unsigned": (envelope(sig=None), UnsignedMessage),
    "short signature": (envelope(sig="00"), MalformedMessage),
    "zero signature": (envelope(sig="00" * 64), WrongSignature),
    "another's signature": (envelope(**{"from": "11" * 32}), WrongSignature),
    "a sender that is no point": (envelope(**{"from": "ff" * 32}), WrongSignature),
    "body changed": (envelope(body={"of": "00" * 32, "state": "y"}), WrongSignature),
    "recipient changed": (envelope(to=THEY.public), WrongSignature),
    "time changed": (envelope(at=AT + 1), WrongSignature),
    "newer version": (envelope(v=2), UnsupportedMessage),
    "version as a truth": (envelope(v=True), MalformedMessage),
    "unknown type": (envelope(type="gift"), UnsupportedMessage),
    "type as a list": (envelope(type=[]), MalformedMessage),
    "unknown field": (envelope(extra=1), MalformedMessage),
    "missing field": (envelope(at=None), MalformedMessage),
    "negative time": (envelope(at=-1), MalformedMessage),
    "identity in capitals": (envelope(to=US.public.upper() + ""), MalformedMessage),
    "body as a list": (envelope(body=[]), MalformedMessage),
    "for somebody else": (seal(THEY, Kind.RECEIPT, "11" * 32, {}, AT).text.encode(), NotForUs),
    "from ourselves": (seal(US, Kind.RECEIPT, US.public, {}, AT).text.encode(), OwnIdentity),
}


@pytest.mark.parametrize("case", ENVELOPES, ids=str)
def test_a_bad_envelope_is_refused_by_its_name(case):
    raw, error = ENVELOPES[case]
    with pytest.raises(error):
        unseal(raw, US.public)


def test_the_good_envelope_is_good():
    assert unseal(envelope(), US.public).body == {"of": "00" * 32, "state": "x"}
