"""Messages, trees and signer sets against their definitions and against other people's code."""

from __future__ import annotations

import coincurve
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.codec import keccak256
from chains.evm.messaging import calls, quorum, tree
from chains.evm.messaging.errors import BadEvent, BadMembers, TooFewSignatures
from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.quorum import Checkpoint, SignerSet
from chains.evm.vaults import public_address

OUTBOX, INBOX = "0x" + "11" * 20, "0x" + "22" * 20
LANE = Lane(31337, OUTBOX, 31338, INBOX)
KEYS = [coincurve.PrivateKey(bytes([n]) * 32) for n in range(1, 8)]
ADDRESSES = [public_address(key.public_key) for key in KEYS]


def message(index: int, payload: bytes = b"hello") -> Message:
    return Message(LANE, index, "0x" + "33" * 20, "0x" + "44" * 20, 100_000, payload)


# --- the tree


def naive_root(leaves: list[bytes], height: int = tree.DEPTH) -> bytes:
    """By definition, of a tree whose empty half is cut short."""
    if not leaves:
        return tree.empty(height)
    if height == 0:
        return leaves[0]
    half = 1 << (height - 1)
    return tree.node(naive_root(leaves[:half], height - 1), naive_root(leaves[half:], height - 1))


def leaf(number: int) -> bytes:
    return keccak256(number.to_bytes(4, "big"))


def grown(count: int) -> tree.Tree:
    made = tree.Tree()
    for number in range(count):
        made.append(leaf(number))
    return made


def chunks_of(made: tree.Tree, numbers: tuple[int, ...]) -> dict[int, list[bytes]]:
    whole = {n for n in numbers if n < len(made.levels[0])}
    return {n: [leaf(i) for i in range(n * tree.CHUNK, (n + 1) * tree.CHUNK)] for n in whole}


def climb(leaves: list[bytes], first: int, count: int, proof: tuple[bytes, ...]) -> bytes:
    """What `Inbox` does with a proof, said another way: by places."""
    nodes = {first + i: one for i, one in enumerate(leaves)}
    rest = iter(proof)
    for height in range(tree.DEPTH):
        low, high = min(nodes), max(nodes) + 1
        if low % 2:
            nodes[low - 1] = next(rest)
        if high % 2:
            nodes[high] = next(rest) if high << height < count else tree.empty(height)
        nodes = {
            place // 2: tree.node(nodes[place], nodes[place + 1]) for place in sorted(nodes) if place % 2 == 0
        }
    assert next(rest, None) is None
    return nodes[0]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 700])
def test_the_root_is_that_of_the_definition(count):
    assert grown(count).root() == naive_root([leaf(n) for n in range(count)])


GROWN = grown(1500)


@given(st.data())
def test_every_range_is_proved_against_every_root(data):
    count = data.draw(st.integers(1, GROWN.count))
    first = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(first + 1, min(count, first + 300)))
    leaves = chunks_of(GROWN, GROWN.chunks(first, end, count))
    root = GROWN.root(count, leaves)
    assert root == naive_root([leaf(n) for n in range(count)])
    proof = GROWN.prove(first, end, count, leaves)
    assert climb([leaf(n) for n in range(first, end)], first, count, proof) == root


def test_a_tree_is_built_again_from_its_chunks():
    again = tree.Tree()
    for number in range(GROWN.count // tree.CHUNK):
        again.append_chunk(
            tree.chunk_root([leaf(i) for i in range(number * tree.CHUNK, (number + 1) * tree.CHUNK)])
        )
    for number in range(again.count, GROWN.count):
        again.append(leaf(number))
    assert again == GROWN


@pytest.mark.parametrize("bounds", [(0, 0, 5), (3, 2, 5), (0, 6, 5), (0, 1, 1501), (-1, 1, 5)])
def test_ranges_that_are_none(bounds):
    with pytest.raises(ValueError, match="range"):
        GROWN.prove(*bounds, {})


def test_ids_are_no_nodes():
    """A leaf is a hash of 320 bytes, a node of 64."""
    ids = {message(0, bytes([n])).id for n in range(50)} | {message(n).id for n in range(50)}
    assert len(ids) == 100


# --- signatures


def typed(primary: str, fields: list[tuple[str, str]], domain: dict, values: dict) -> bytes:
    """The digest by eth-account."""
    kinds = ("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")
    document = {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in kinds],
            primary: [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": primary,
        "domain": domain,
        "message": values,
    }
    signable = encode_typed_data(full_message=document)
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def test_checkpoints_are_eip712():
    checkpoint = Checkpoint(7, LANE, 42, b"\x05" * 32)
    fields = [("set", "uint32"), ("lane", "bytes32"), ("count", "uint32"), ("root", "bytes32")]
    domain = {"name": "Strikelock Checkpoint", "version": "1", "chainId": 31337, "verifyingContract": OUTBOX}
    values = {"set": 7, "lane": LANE.id, "count": 42, "root": b"\x05" * 32}
    assert checkpoint.digest == typed("Checkpoint", fields, domain, values)


def test_rotations_are_eip712():
    following = SignerSet.of(2, ADDRESSES)
    domain = {"name": "Strikelock Quorum", "version": "1", "chainId": 5, "verifyingContract": INBOX}
    values = {"set": 2, "members": following.packed()}
    wanted = typed("Rotation", [("set", "uint32"), ("members", "bytes")], domain, values)
    assert quorum.rotation_digest(5, INBOX, following) == wanted


def test_message_ids_are_eip712_structs():
    one = message(9)
    lane = [("source", "uint64"), ("outbox", "address"), ("index", "uint32"), ("destination", "uint64")]
    rest = [("inbox", "address"), ("sender", "address"), ("recipient", "address"), ("gas", "uint32")]
    values = {
        "source": 31337,
        "outbox": OUTBOX,
        "index": 9,
        "destination": 31338,
        "inbox": INBOX,
        "sender": one.sender,
        "recipient": one.recipient,
        "gas": one.gas,
        "payload": one.payload,
    }
    domain = {"name": "x", "version": "1", "chainId": 1, "verifyingContract": INBOX}
    document = {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in (("name", "string"),)],
            "Message": [{"name": n, "type": t} for n, t in [*lane, *rest, ("payload", "bytes")]],
        },
        "primaryType": "Message",
        "domain": {"name": domain["name"]},
        "message": values,
    }
    assert encode_typed_data(full_message=document).body == one.id


@given(st.binary(min_size=32, max_size=32), st.sampled_from(range(len(KEYS))))
def test_signatures_are_those_of_other_wallets(digest, which):
    signature = quorum.sign(digest, KEYS[which])
    assert quorum.recover(digest, signature) == ADDRESSES[which]
    theirs = Account.unsafe_sign_hash(digest, KEYS[which].secret)
    assert signature[:32] == theirs.r.to_bytes(32, "big")
    assert int.from_bytes(signature[32:], "big") == theirs.s | (theirs.v - 27) << 255


@given(st.binary(max_size=80))
def test_rubbish_is_nobodys_signature(data):
    assert quorum.recover(b"\x01" * 32, data) is None or len(data) == 64


def test_the_other_form_of_a_signature_is_refused():
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    signature = quorum.sign(b"\x01" * 32, KEYS[0])
    packed = int.from_bytes(signature[32:], "big")
    s, parity = packed & (quorum.PARITY - 1), packed >> 255
    high = order - s
    assert high > quorum.PARITY  # it does not even fit the compact form, and what is left of it is nobody's
    other = signature[:32] + (high % quorum.PARITY | (1 - parity) << 255).to_bytes(32, "big")
    assert quorum.recover(b"\x01" * 32, other) != ADDRESSES[0]


@pytest.mark.parametrize(("n", "needed"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (100, 67)])
def test_more_than_two_thirds_must_sign(n, needed):
    assert quorum.threshold(n) == needed
    assert n - needed <= (n - 1) // 3  # as many may be silent as may lie
    assert 2 * needed - n > (n - 1) // 3  # two quorums share an honest member


def test_a_quorum_is_gathered_in_order_without_wrong_ones():
    members = SignerSet.of(1, ADDRESSES)
    digest = b"\x02" * 32
    signatures = {address: quorum.sign(digest, key) for address, key in zip(ADDRESSES, KEYS, strict=True)}
    signatures[ADDRESSES[0]] = quorum.sign(b"\x03" * 32, KEYS[0])
    gathered = members.gather(digest, signatures)
    found = [quorum.recover(digest, gathered[i : i + 64]) for i in range(0, len(gathered), 64)]
    assert found == [member for member in members.members if member != ADDRESSES[0]][:5]
    with pytest.raises(TooFewSignatures):
        members.gather(digest, {a: s for a, s in signatures.items() if a in ADDRESSES[:5]})


@pytest.mark.parametrize("members", [(), ("0x" + "00" * 20,), (ADDRESSES[0], ADDRESSES[0])])
def test_sets_that_no_contract_takes(members):
    with pytest.raises(BadMembers):
        SignerSet(1, tuple(members))


# --- events


def test_logs_that_are_none_of_ours():
    for log in ({}, {"topics": [], "data": "0x"}, {"topics": [calls.SENT], "data": "0x12", "address": OUTBOX}):
        with pytest.raises(BadEvent):
            calls.read_sent(log, 1)
        with pytest.raises(BadEvent):
            calls.read_delivered(log)
