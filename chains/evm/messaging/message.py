"""A message, its id, and how it is packed for delivery: the twin of contracts/src/Messages.sol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chains.evm.codec import address_bytes, keccak256, word

MESSAGE_TYPE: Final = keccak256(
    b"Message(uint64 source,address outbox,uint32 index,uint64 destination,address inbox,address sender,"
    b"address recipient,uint32 gas,bytes payload)"
)
MAX_PAYLOAD: Final = 4096  # bytes
MAX_GAS: Final = 2_000_000  # for a recipient's code
HEAD_BYTES: Final = 48  # of a packed message, before its payload
KEPT_LANES: Final = 256  # ids remembered: each is a hash
KEPT_MESSAGES: Final = 1024  # an id is asked for where a message is read, appended and stored


@dataclass(frozen=True, slots=True)
class Lane:
    """The way from one outbox to one inbox. Chain ids by EIP-155, addresses with the checksum of EIP-55."""

    source: int
    outbox: str
    destination: int
    inbox: str

    @property
    def id(self) -> bytes:
        """The name of the lane in both contracts, 32 bytes."""
        return _lane_id(self)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a lane. gas: what the recipient's code gets."""

    lane: Lane
    index: int
    sender: str
    recipient: str
    gas: int
    payload: bytes

    @property
    def id(self) -> bytes:
        """The leaf of the message (EIP-712's hashStruct), 32 bytes."""
        return _message_id(self)

    def packed(self) -> bytes:
        """As `Inbox.deliver` takes it: sender, recipient, gas, length, payload. The rest follows from the lane."""
        numbers = self.gas.to_bytes(4, "big") + len(self.payload).to_bytes(4, "big")
        return address_bytes(self.sender) + address_bytes(self.recipient) + numbers + self.payload


@lru_cache(KEPT_LANES)
def _lane_id(lane: Lane) -> bytes:
    ends = (word(lane.source), word(address_bytes(lane.outbox)))
    return keccak256(b"".join((*ends, word(lane.destination), word(address_bytes(lane.inbox)))))


@lru_cache(KEPT_MESSAGES)
def _message_id(message: Message) -> bytes:
    words = (
        MESSAGE_TYPE,
        word(message.lane.source),
        word(address_bytes(message.lane.outbox)),
        word(message.index),
        word(message.lane.destination),
        word(address_bytes(message.lane.inbox)),
        word(address_bytes(message.sender)),
        word(address_bytes(message.recipient)),
        word(message.gas),
        keccak256(message.payload),
    )
    return keccak256(b"".join(words))


def pack(messages: Iterable[Message]) -> bytes:
    """Messages of one lane with consecutive indexes, packed."""
    return b"".join(message.packed() for message in messages)
