"""Two local EVM chains with a lane between them, and configurations of validators and relayers on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coincurve
import tomli_w

from chains.evm import deploy
from chains.evm.account import derive_account
from chains.evm.codec import public_address
from chains.evm.messaging import calls
from chains.evm.messaging.message import Lane
from chains.evm.messaging.quorum import SignerSet
from chains.testing.anvil import Anvil
from relayer.messages.pusher import ACCOUNT
from relayer.settings import SEED_FILE, Settings
from relayer.validator.service import signing_key
from settlement import seed as seeds

PASSPHRASE = "a world of play money"
GRACE = 3600
GAS = 100_000
MOST_GAS = 16_000_000  # of one transaction: nodes since osaka refuse more than 2^24 (EIP-7825)
BURST = 350  # messages that one transaction can send
ETHER = 10**18
DEPTH = 3
POOL_BLOCKS = 1000  # into which a pool is mined, at most
NAME = "there"
TIMING: Mapping[str, Any] = {
    "interval": 1.0,
    "inclusion": 3,
    "depth": DEPTH,
    "clock_error": 1,
    "stale_after": 86_400,
}


@dataclass
class LaneWorld:
    """Contracts on both nodes, and members of a set with a seed each."""

    here: Anvil
    there: Anvil
    folder: Path
    members: tuple[str, ...]  # the words of each one's seed
    factories: Mapping[str, str] = field(default_factory=dict)
    outbox: str = ""
    inbox: str = ""
    quorum: str = ""
    recipient: str = ""
    sender: str = ""  # of floods

    @classmethod
    async def make(cls, here: Anvil, there: Anvil, folder: Path, size: int = 4) -> LaneWorld:
        """Deploy everything, for a set of `size` signers."""
        members = tuple(seeds.new_words() for _ in range(size))
        world = cls(here, there, folder, members)
        factories = {}
        for name, node in (("here", here), ("there", there)):
            factories[name] = (await deploy.deploy_factory(node.url, key(node))).address
        world.factories = factories
        world.outbox = (await deploy.deploy_outbox(here.url, key(here))).address
        packed = world.signers.packed()
        world.quorum = (await deploy.deploy_quorum(there.url, key(there), packed, GRACE, size == 1)).address
        guardian, origins = next(iter(there.accounts)), [(here.chain_id, world.outbox)]
        world.inbox = (await deploy.deploy_inbox(there.url, key(there), world.quorum, guardian, origins)).address
        world.recipient = (await deploy.deploy_test_recipient(there.url, key(there), world.inbox)).address
        return world

    @property
    def signers(self) -> SignerSet:
        keys = (signing_key(seeds.from_words(words)) for words in self.members)
        return SignerSet.of(1, [public_address(key.public_key) for key in keys])

    @property
    def lane(self) -> Lane:
        return Lane(self.here.chain_id, self.outbox, self.there.chain_id, self.inbox)

    # --- configurations

    def chain(self, name: str, url: str = "") -> dict[str, Any]:
        """A chain's section, at its node or at another address."""
        node = self.here if name == "here" else self.there
        return {
            "family": "evm",
            "chain_id": node.chain_id,
            "url": url or node.url,
            "factory": self.factories[name],
            "timing": dict(TIMING),
            "timeout": 10.0,
            "patience": 2.0,
        }

    def section(self, validators: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
        """The lane's section."""
        ends = {"source": "here", "outbox": self.outbox, "destination": "there", "inbox": self.inbox}
        return {**ends, "validators": list(validators), "regtest": len(self.members) == 1, **changes}

    def configure(self, name: str, words: str, **tables: Any) -> Path:
        """A folder with a seed and a configuration; `tables` replace or add."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passphrase").write_text(PASSPHRASE)
        if not (folder / SEED_FILE).exists():
            seeds.save(folder / SEED_FILE, words, PASSPHRASE)
        document = {
            "party": {"folder": ".", "passphrase_file": "passphrase"},
            "chains": {"here": self.chain("here"), "there": self.chain("there")},
            "lanes": {NAME: self.section()},
            **tables,
        }
        file = folder / "strikelock.toml"
        file.write_text(tomli_w.dumps(document))
        return file

    def validator(self, place: int, port: int, endpoints: Sequence[str] = (), **changes: Any) -> Path:
        """The configuration of the member at `place`."""
        urls = list(endpoints) or [self.here.url] * 3
        section = {"listen": f"127.0.0.1:{port}", "folder": "signatures", "endpoints": {"here": urls}, **changes}
        return self.configure(f"validator-{place}", self.members[place], validator=section)

    def relayer(self, name: str, validators: Sequence[str], **tables: Any) -> Path:
        """The configuration of a relayer; `tables` replace or add."""
        own = {"lanes": {NAME: self.section(validators)}, **tables}
        return self.configure(name, seeds.new_words(), **own)

    # --- verbs

    async def endow(self, settings: Settings) -> str:
        """Give a relayer's account on the destination gas; its address."""
        seed = seeds.load(settings.party.folder / SEED_FILE, PASSPHRASE)
        address = derive_account(seed.raw, ACCOUNT).address
        await self.there.rpc("anvil_setBalance", address, hex(1000 * ETHER))
        return address

    async def send(self, count: int, recipient: str = "", gas: int = GAS, payload: bytes = b"") -> None:
        """Send messages from the node's first account, in as few blocks as it makes of them."""
        sender = next(iter(self.here.accounts))
        data = calls.send(self.there.chain_id, self.inbox, recipient or self.recipient, gas, payload or bytes(32))
        request = {"from": sender, "to": self.outbox, "data": "0x" + data.hex(), "gas": hex(300_000)}
        for _ in range(count):
            await self.here.receipt(await self.here.rpc("eth_sendTransaction", request))

    async def flood(self, count: int, gas: int = GAS) -> None:
        """Send many messages, many a transaction."""
        if not self.sender:
            self.sender = (await deploy.deploy_test_sender(self.here.url, key(self.here))).address
        account = next(iter(self.here.accounts))
        while count:
            part = min(count, BURST)
            data = calls.burst(self.lane, self.recipient, gas, part)
            request = {"from": account, "to": self.sender, "data": "0x" + data.hex(), "gas": hex(MOST_GAS)}
            await self.here.rpc("eth_sendTransaction", request)
            count -= part

    async def view(self, data: bytes) -> str:
        """What the inbox answers."""
        return str(await self.there.rpc("eth_call", {"to": self.inbox, "data": "0x" + data.hex()}, "latest"))

    async def delivered(self, count: int) -> int:
        """How many of the first messages are delivered."""
        groups = range((count + 255) // 256)
        bits = [calls.read_number(await self.view(calls.delivered_call(self.lane.id, group))) for group in groups]
        return sum(word.bit_count() for word in bits)

    async def finalise(self, node: Anvil | None = None) -> None:
        """Make final what was sent, be it in a block yet or not."""
        for one in (node,) if node is not None else (self.here, self.there):
            for _ in range(POOL_BLOCKS):
                if int((await one.rpc("txpool_status"))["pending"], 16) == 0:
                    break
                await one.mine()
            await one.mine(DEPTH)


def key(node: Anvil) -> bytes:
    """The private key of a node's first account."""
    return coincurve.PrivateKey.from_hex(next(iter(node.accounts.values()))[2:]).secret
