"""Parties with money on test nodes: a seed, and on each node a chain of ours and a wallet that can pay."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chains.testing.bitcoind import Bitcoind

if TYPE_CHECKING:
    from chains.port import Chain, Wallet
    from chains.testing.anvil import Anvil

# What a party gets, in smallest units.
SATOSHIS = 10 * 10**8
WEI = 100 * 10**18
TOKENS = 1_000_000 * 10**6
TOKEN_SYMBOL = "TEST"  # noqa: S105 - the symbol of a coin
TOKEN_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class FundedParty:
    """A party and its money, by the chain's name ("bitcoin", "litecoin", "evm").

    seed: BIP39 seed, 64 bytes. chains: open connections of its own. wallets: hold SATOSHIS, or WEI and TOKENS.
    tokens: the address of the test ERC-20, on EVM chains.
    """

    seed: bytes
    chains: dict[str, Chain]
    wallets: dict[str, Wallet]
    tokens: dict[str, str]

    async def close(self) -> None:
        """Close the connections."""
        for chain in self.chains.values():
            await chain.close()


class Parties:
    """Makes parties on any nodes. The vault contract and the test token are deployed once for each EVM node."""

    def __init__(self) -> None:
        self._deployed: dict[str, dict[str, Any]] = {}
        self._made: list[FundedParty] = []

    async def make(self, *nodes: Bitcoind | Anvil) -> FundedParty:
        """A party with a new seed and money on each of `nodes`, which must be of different chains."""
        party = FundedParty(secrets.token_bytes(64), {}, {}, {})
        self._made.append(party)
        for node in nodes:
            await self._endow(party, node)
        return party

    async def _endow(self, party: FundedParty, node: Bitcoind | Anvil) -> None:
        name, settings = chain_name(node), await self._settings(node)
        chain = party.chains[name] = make_chain(settings["family"], name, settings)
        await chain.open()
        wallet = party.wallets[name] = chain.wallet(party.seed)
        await node.fund(wallet.address, SATOSHIS if isinstance(node, Bitcoind) else WEI)
        if not isinstance(node, Bitcoind):
            party.tokens[name] = settings["tokens"][TOKEN_SYMBOL]
            await _mint(node, party.tokens[name], wallet.address)
        await chain.look()

    async def close(self) -> None:
        """Close what the parties opened."""
        for party in self._made:
            await party.close()

    async def _settings(self, node: Bitcoind | Anvil) -> dict[str, Any]:
        """The node's section of a configuration."""
        if isinstance(node, Bitcoind):
            return {"family": "bitcoin", "coin": node.params.name, "network": "regtest", "url": node.url}
        if node.url not in self._deployed:
            self._deployed[node.url] = await _deploy(node)
        local = {"family": "evm", "preset": "local", "url": node.url, "chain_id": node.chain_id}
        return {**local, **self._deployed[node.url]}


def chain_name(node: Bitcoind | Anvil) -> str:
    """The name that a node's chain has in a party."""
    return node.params.name if isinstance(node, Bitcoind) else "evm"


def make_chain(family: str, name: str, settings: Mapping[str, Any]) -> Chain:
    """A chain, not yet open, by the entry point `family` in `strikelock.chains`; KeyError if there is none."""
    from importlib.metadata import entry_points

    made: Chain = entry_points(group="strikelock.chains")[family].load().make(name, settings)
    return made


async def _deploy(node: Anvil) -> dict[str, Any]:
    from chains.evm.deploy import deploy_factory, deploy_token

    factory = await deploy_factory(node.url, _secret(node))
    token = await deploy_token(node.url, _secret(node), "Test Dollar", TOKEN_SYMBOL, TOKEN_DECIMALS)
    return {"factory": factory.address, "tokens": {TOKEN_SYMBOL: token.address}}


async def _mint(node: Anvil, token: str, address: str) -> None:
    from chains.evm.deploy import mint

    await mint(node.url, _secret(node), token, address, TOKENS)


def _secret(node: Anvil) -> bytes:
    """The private key of the node's first account."""
    return bytes.fromhex(next(iter(node.accounts.values())).removeprefix("0x"))
