"""Two EVM chains with an outbox here and an inbox there, three signers, and verbs for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import coincurve

from chains.evm import deploy
from chains.evm.messaging import calls
from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.quorum import Checkpoint, SignerSet, sign
from chains.evm.messaging.tree import Tree
from chains.evm.vaults import public_address
from chains.testing.anvil import Anvil

GRACE = 3600
GAS = 100_000
MOST_GAS = 16_000_000  # of one transaction; nodes since osaka refuse more than 2^24 (EIP-7825)
KEYS = [coincurve.PrivateKey(bytes([0x51, n]) * 16) for n in range(1, 5)]


def first_key(node: Anvil) -> bytes:
    """The private key of the node's first account."""
    return bytes.fromhex(next(iter(node.accounts.values()))[2:])


@dataclass
class MessagingWorld:
    """One lane. `tree` and `messages` are what this test knows of it."""

    here: Anvil
    there: Anvil
    lane: Lane
    quorum: str
    recipient: str
    signers: SignerSet
    tree: Tree = field(default_factory=Tree)
    messages: list[Message] = field(default_factory=list)

    async def transact(self, node: Anvil, to: str, data: bytes) -> dict[str, Any]:
        """Send from the node's first account; the receipt."""
        request = {"from": next(iter(node.accounts)), "to": to, "data": "0x" + data.hex(), "gas": hex(MOST_GAS)}
        txid = await node.rpc("eth_sendTransaction", request)
        async with asyncio.timeout(20):
            while True:
                if receipt := await node.rpc("eth_getTransactionReceipt", txid):
                    return dict(receipt)
                await asyncio.sleep(0.01)

    async def send(self, payload: bytes, recipient: str | None = None, gas: int = GAS) -> Message:
        """Send a message, and read it off its event."""
        data = calls.send(self.lane.destination, self.lane.inbox, recipient or self.recipient, gas, payload)
        receipt = await self.transact(self.here, self.lane.outbox, data)
        assert receipt["status"] == "0x1"
        message = calls.read_sent(receipt["logs"][0], self.lane.source)
        self.messages.append(message)
        self.tree.append(message.id)
        return message

    async def checkpoint(self) -> Checkpoint:
        """What the outbox says now."""
        answer = await self.view(self.here, self.lane.outbox, calls.checkpoint_call(self.lane.id))
        return Checkpoint(self.signers.number, self.lane, *calls.read_checkpoint(answer))

    async def view(self, node: Anvil, to: str, data: bytes) -> str:
        return str(await node.rpc("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest"))

    def signatures(self, digest: bytes) -> bytes:
        """A quorum's."""
        return self.signers.gather(digest, {public_address(key.public_key): sign(digest, key) for key in KEYS})

    def delivery(self, checkpoint: Checkpoint, first: int, end: int, known: bool = False) -> bytes:
        """Call data that delivers a range. known: the checkpoint was accepted before."""
        proof = self.tree.prove(first, end, checkpoint.count, {})
        signed = b"" if known else self.signatures(checkpoint.digest)
        return calls.deliver(checkpoint, None if known else self.signers, signed, self.messages[first:end], proof)


@asynccontextmanager
async def messaging_world(here: Anvil, there: Anvil) -> AsyncIterator[MessagingWorld]:
    """Contracts on both chains."""
    signers = SignerSet.of(1, [public_address(key.public_key) for key in KEYS])
    outbox = (await deploy.deploy_outbox(here.url, first_key(here))).address
    quorum = (await deploy.deploy_quorum(there.url, first_key(there), signers.packed(), GRACE, False)).address
    guardian = next(iter(there.accounts))
    origins = [(here.chain_id, outbox)]
    inbox = (await deploy.deploy_inbox(there.url, first_key(there), quorum, guardian, origins)).address
    recipient = (await deploy.deploy_test_recipient(there.url, first_key(there), inbox)).address
    lane = Lane(here.chain_id, outbox, there.chain_id, inbox)
    yield MessagingWorld(here, there, lane, quorum, recipient, signers)
