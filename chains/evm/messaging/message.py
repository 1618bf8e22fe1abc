"""A message, its id, and how it is packed for delivery: the twin of contracts/src/Messages.sol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chains.evm.codec import address_bytes, keccak256, word

MESSAGE_TYPE: Final = keccak256(
    b"Message(uint64 source,address outbox,uint32 index,uint64 destination,address inbox,address sender,"
    b"address recipient,uint32 gas,bytes payload)"
)
MAX_PAYLOAD: Final = 4096  # bytes
MAX_GAS: Final = 2_000_000  # for a recipient's code
HEAD_BYTES: Final = 48  # of a packed message, before its payload


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
        ends = (word(self.source), word(address_bytes(self.outbox)))
        return keccak256(b"".join((*ends, word(self.destination), word(address_bytes(self.inbox)))))


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
        return keccak256(
            b"".join(
                (
                    MESSAGE_TYPE,
                    word(self.lane.source),
                    word(address_bytes(self.lane.outbox)),
                    word(self.index),
                    word(self.lane.destination),
                    word(address_bytes(self.lane.inbox)),
                    word(address_bytes(self.sender)),
                    word(address_bytes(self.recipient)),
                    word(self.gas),
                    keccak256(self.payload),
                )
            )
        )

    def packed(self) -> bytes:
        """As `Inbox.deliver` takes it: sender, recipient, gas, length, payload. The rest follows from the lane."""
        numbers = self.gas.to_bytes(4, "big") + len(self.payload).to_bytes(4, "big")
        return address_bytes(self.sender) + address_bytes(self.recipient) + numbers + self.payload


def pack(messages: Iterable[Message]) -> bytes:
    """Messages of one lane with consecutive indexes, packed."""
    return b"".join(message.packed() for message in messages)
