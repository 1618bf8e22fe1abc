"""Messages read back as they were written; anything else is a typed error and never another."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json

import pytest
from embit import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import StrikelockError
from htlc.terms import canonical
from settlement import bodies
from settlement.errors import MessageError
from settlement.messages import Kind, read, seal, unseal
from settlement.seed import Identity
from tests.settlement import parties
from tests.settlement.samples import AT, all_terms, texts

US, THEY = Identity(b"\x01" * 32), Identity(b"\x02" * 32)

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**255, 2**260), st.text(max_size=20), st.just("00" * 32)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
leg_maps = st.dictionaries(
    st.sampled_from(["x", "y", "strike"]), st.dictionaries(texts, texts, max_size=4), max_size=3
)
urls = st.sampled_from(["", "http://127.0.0.1:9955", "https://party.invalid/strikelock", "http://[::1]:1/a/b"])
proposals = all_terms.filter(lambda terms: len(terms.parties) == 1).flatmap(
    lambda terms: st.builds(
        bodies.ProposalBody, st.just(terms), st.just(next(iter(terms.parties))), urls, st.integers(0, 2**40 - 1)
    )
)
others = st.one_of(
    st.builds(bodies.AcceptanceBody, hashes, all_terms, leg_maps, urls),
    st.builds(bodies.AcknowledgementBody, hashes, hashes.map(lambda text: text[:32]), leg_maps),
    st.builds(bodies.RefusalBody, hashes, st.just("LegMismatch"), st.text(max_size=600).map(bodies.printable)),
    st.builds(bodies.ReceiptBody, hashes, st.just("agreed")),
    st.builds(bodies.ReleaseBody, hashes.map(lambda text: text[:32]), st.just("x"), st.just("release"), texts),
)


@given(st.one_of(proposals, others))
@settings(max_examples=40)
def test_what_is_sent_is_what_is_read(body):
    message = seal(THEY, Kind.RECEIPT, US.public, body.to_json(), AT)
    again = unseal(message.text.encode(), US.public)
    assert again == message
    assert type(body).parse(again.body) == body


@given(st.binary(max_size=300))
def test_any_bytes_are_a_typed_error(raw):
    with pytest.raises(MessageError):
        read(raw)


@given(values)
def test_any_json_is_a_typed_error(value):
    with pytest.raises(MessageError):
        read(json.dumps(value).encode())
    with pytest.raises(MessageError):
        read(canonical(value))


good = json.loads(seal(THEY, Kind.RECEIPT, US.public, {"of": "00" * 32, "state": "x"}, AT).text)


@given(st.sampled_from(sorted(good)), values)
def test_any_field_changed_is_a_typed_error(name, value):
    changed = {**good, name: value}
    if changed == good and type(value) is type(good[name]):
        return
    with pytest.raises(MessageError):
        read(canonical(changed))


@pytest.mark.parametrize(
    "kind",
    [
        bodies.ProposalBody,
        bodies.AcceptanceBody,
        bodies.AcknowledgementBody,
        bodies.RefusalBody,
        bodies.ReceiptBody,
        bodies.ReleaseBody,
    ],
)
@given(st.data())
def test_any_body_is_read_or_a_typed_error(kind, data):
    names = list(kind.__dataclass_fields__)
    body = data.draw(
        st.one_of(st.fixed_dictionaries(dict.fromkeys(names, values)), st.dictionaries(texts, values))
    )
    with contextlib.suppress(StrikelockError):
        kind.parse(body)


def test_the_signature_is_bip340_over_a_tagged_hash():
    message = seal(THEY, Kind.RECEIPT, US.public, {"of": "00" * 32, "state": "x"}, AT)
    data = json.loads(message.text)
    signature = bytes.fromhex(data.pop("sig"))
    tag = hashlib.sha256(b"strikelock/message/1").digest()
    digest = hashlib.sha256(tag + tag + json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).digest()
    public = ec.PublicKey.from_xonly(bytes.fromhex(data["from"]))
    assert message.id == digest.hex()
    assert public.schnorr_verify(ec.SchnorrSig(signature), digest)


def test_signing_twice_is_one_message():
    first, second = (seal(THEY, Kind.RECEIPT, US.public, {"of": "00" * 32, "state": "x"}, AT) for _ in range(2))
    assert first.id == second.id
    assert first.text != second.text  # fresh randomness in the signature


# --- a party that is sent nonsense under a good signature ---------------------------------------------------


def places(value, path=()):
    """Every path in a JSON value."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))


def changed(body, path, value):
    if not path:
        return value if isinstance(value, dict) else {"body": value}
    body = copy.deepcopy(body)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return body


@given(st.data())
@settings(max_examples=6)
async def test_a_party_answers_any_nonsense_and_loses_nothing(tmp_path_factory, data):
    async with parties.two(tmp_path_factory.mktemp("nonsense"), auto=True, serve=False) as (alice, bob):
        proposal = await alice.agreement.propose(parties.swap(), bob.identity, "http://b")
        asked = read(proposal.message.encode())
        acceptance = await bob.agreement.receive(asked)
        for original, sender, receiver in ((asked, alice, bob), (acceptance, bob, alice)):
            body = json.loads(original.text)["body"]
            for _ in range(25):
                path = data.draw(st.sampled_from(list(places(body))))
                bad = changed(body, path, data.draw(values))
                if bad == body:
                    continue
                message = seal(sender.seed.identity(), original.kind, receiver.identity, bad, AT)
                answer = await receiver.agreement.receive(message)
                assert answer.kind in (Kind.REFUSAL, Kind.RECEIPT, Kind.ACCEPTANCE)
        assert not await alice.store.deals()
        assert (await alice.agreement.receive(acceptance)).kind is Kind.ACKNOWLEDGEMENT
