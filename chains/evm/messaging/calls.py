"""Call data for outbox, inbox and quorum, and what their events and answers say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chains.evm.codec import address_bytes, array, checksum_address, keccak256, raw_bytes, selector, word, words
from chains.evm.messaging.errors import BadEvent
from chains.evm.messaging.message import Lane, Message, pack
from chains.evm.messaging.quorum import Checkpoint, SignerSet

SENT: Final = "0x" + keccak256(b"Sent(bytes32,bytes32,uint32,uint64,address,address,address,uint32,bytes)").hex()
DELIVERED: Final = "0x" + keccak256(b"Delivered(bytes32,bytes32,uint32,bool)").hex()
ACCEPTED: Final = "0x" + keccak256(b"Accepted(bytes32,uint32,bytes32)").hex()
ROTATED: Final = "0x" + keccak256(b"Rotated(uint32,bytes,uint64)").hex()

_CHECKPOINT: Final = "(uint32,bytes32,uint32,bytes32)"
_DELIVER: Final = selector(f"deliver({_CHECKPOINT},(bytes,bytes),uint32,bytes,bytes32[])")
_SEND: Final = selector("send(uint64,address,address,uint32,bytes)")
_RETRY: Final = selector("retry((uint64,address,uint32,uint64,address,address,address,uint32,bytes))")
_ROTATE: Final = selector("rotate(bytes,bytes,bytes)")

# --- calls


def send(destination: int, inbox: str, recipient: str, gas: int, payload: bytes) -> bytes:
    """`Outbox.send`."""
    fixed = (word(destination), word(address_bytes(inbox)), word(address_bytes(recipient)), word(gas))
    return _SEND + _encode([*fixed], [_bytes(payload)])


def deliver(
    checkpoint: Checkpoint,
    signers: SignerSet | None,
    signatures: bytes,
    messages: Sequence[Message],
    proof: Sequence[bytes],
) -> bytes:
    """`Inbox.deliver` of messages with consecutive indexes. Without signers and signatures the checkpoint must
    have been accepted before."""
    head = (word(checkpoint.set), checkpoint.lane.id, word(checkpoint.count), checkpoint.root)
    signed = _encode([], [_bytes(signers.packed() if signers else b""), _bytes(signatures)])
    places: list[bytes | None] = [*head, None, word(messages[0].index), None, None]
    return _DELIVER + _mixed(places, [signed, _bytes(pack(messages)), array(proof)])


def retry(message: Message) -> bytes:
    """`Inbox.retry`."""
    lane = message.lane
    fixed = (
        word(lane.source),
        word(address_bytes(lane.outbox)),
        word(message.index),
        word(lane.destination),
        word(address_bytes(lane.inbox)),
        word(address_bytes(message.sender)),
        word(address_bytes(message.recipient)),
        word(message.gas),
    )
    return _RETRY + word(32) + _encode([*fixed], [_bytes(message.payload)])


def rotate(following: SignerSet, signers: SignerSet, signatures: bytes) -> bytes:
    """`Quorum.rotate`."""
    return _ROTATE + _encode([], [_bytes(part) for part in (following.packed(), signers.packed(), signatures)])


def opt(open_: bool) -> bytes:
    """`Inbox.opt`."""
    return selector("opt(bool)") + word(open_)


def pause(lane: bytes, paused: bool) -> bytes:
    """`Inbox.pause`."""
    return selector("pause(bytes32,bool)") + lane + word(paused)


def checkpoint_call(lane: bytes) -> bytes:
    """`Outbox.checkpoint`; see `read_checkpoint`."""
    return selector("checkpoint(bytes32)") + lane


def delivered_call(lane: bytes, group: int) -> bytes:
    """`Inbox.delivered`: 256 messages a group, bit i is message 256 * group + i."""
    return selector("delivered(bytes32,uint256)") + lane + word(group)


def failed_call(id_: bytes) -> bytes:
    """`Inbox.failed`."""
    return selector("failed(bytes32)") + id_


def accepted_call(lane: bytes, root: bytes) -> bytes:
    """`Inbox.accepted`: the count of an accepted root, or zero."""
    return selector("accepted(bytes32,bytes32)") + lane + root


def paused_call(lane: bytes) -> bytes:
    """`Inbox.isPaused`."""
    return selector("isPaused(bytes32)") + lane


def sets_call(number: int) -> bytes:
    """`Quorum.sets`."""
    return selector("sets(uint32)") + word(number)


CURRENT_CALL: Final = selector("current()")
QUORUM_CALL: Final = selector("quorum()")
REGTEST_CALL: Final = selector("REGTEST()")


def read_checkpoint(answer: str) -> tuple[int, bytes]:
    """Count and root, from the answer to `checkpoint_call`."""
    count, root = words(raw_bytes(answer))
    return int.from_bytes(count, "big"), root


def read_number(answer: str) -> int:
    """One number, from an answer."""
    return int(answer, 16)


def read_address(answer: str) -> str:
    """One address, from an answer."""
    return checksum_address(raw_bytes(answer)[-20:])


# --- events


@dataclass(frozen=True, slots=True)
class Delivery:
    """A `Delivered` event."""

    lane: bytes
    id: bytes
    index: int
    success: bool


def read_sent(log: Mapping[str, Any], source: int) -> Message:
    """The message of a `Sent` log of an outbox on chain `source`; its id is computed anew and must be the log's.
    Raises BadEvent."""
    try:
        topics, data = log["topics"], raw_bytes(log["data"])
        if str(topics[0]) != SENT:
            raise BadEvent(f"its topic is {topics[0]}")
        index, destination, inbox, sender, recipient, gas, offset = words(data)[:7]
        start = int.from_bytes(offset, "big")
        length = int.from_bytes(data[start : start + 32], "big")
        payload = data[start + 32 : start + 32 + length]
        lane = Lane(
            source,
            checksum_address(raw_bytes(log["address"])),
            int.from_bytes(destination, "big"),
            checksum_address(inbox[-20:]),
        )
        message = Message(
            lane,
            int.from_bytes(index, "big"),
            checksum_address(sender[-20:]),
            checksum_address(recipient[-20:]),
            int.from_bytes(gas, "big"),
            payload,
        )
        named = [raw_bytes(topic) for topic in topics[1:3]]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadEvent(repr(error)) from error
    if len(payload) != length or named != [lane.id, message.id]:
        raise BadEvent("its content is not what its id says")
    return message


def read_delivered(log: Mapping[str, Any]) -> Delivery:
    """What a `Delivered` log says. Raises BadEvent."""
    try:
        topics = [raw_bytes(topic) for topic in log["topics"]]
        index, success = words(raw_bytes(log["data"]))
        if "0x" + topics[0].hex() != DELIVERED:
            raise BadEvent(f"its topic is 0x{topics[0].hex()}")
        return Delivery(topics[1], topics[2], int.from_bytes(index, "big"), any(success))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadEvent(repr(error)) from error


# --- the ABI


def _bytes(data: bytes) -> bytes:
    """A byte string: its length, then itself in whole words."""
    return word(len(data)) + data + bytes(-len(data) % 32)


def _encode(fixed: list[bytes], dynamic: Sequence[bytes]) -> bytes:
    """Arguments: words, then byte strings or arrays, which the words end with pointers to."""
    return _mixed([*fixed, *([None] * len(dynamic))], dynamic)


def _mixed(places: Sequence[bytes | None], dynamic: Sequence[bytes]) -> bytes:
    """Arguments in their order: a word, or None for the next of the dynamic ones."""
    head, tail, start = [], b"", 32 * len(places)
    following = iter(dynamic)
    for place in places:
        if place is None:
            head.append(word(start + len(tail)))
            tail += next(following)
        else:
            head.append(place)
    return b"".join(head) + tail
