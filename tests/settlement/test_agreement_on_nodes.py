"""Two parties on real nodes: the same legs on both sides, and releases that real wallets sign and check."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from chains.port import Key
from htlc.errors import PeerUnavailable
from htlc.protocols import protocol
from htlc.terms import LegTerms
from relayer.party import Party
from relayer.testing.actors import Actor
from relayer.testing.world import World

pytestmark = pytest.mark.node


async def opened(stack: AsyncExitStack, world: World, role: str, chains: tuple[str, ...]) -> Party:
    """A party in this process that answers its peers and drives nothing."""
    party = await stack.enter_async_context(Party.open(Actor(role, world, chains).settings, drive=True))
    runner = web.AppRunner(party.gate.application(), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = party.settings.peer.listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    return party


def legs(world: World, collateral: str, strike: str) -> dict[str, LegTerms]:
    asset = "TEST" if strike in world.tokens else "native"
    return {
        "collateral": LegTerms(collateral, "native", 10**6 if collateral == "bitcoin" else 10**17),
        "premium": LegTerms(strike, asset, 10**6),
        "strike": LegTerms(strike, asset, 10**8),
    }


@pytest.mark.parametrize("chains", [("bitcoin", "evm"), ("evm", "bitcoin")], ids="/".join)
async def test_an_option_is_agreed_and_released(tmp_path, chains):
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World(("bitcoin", "evm"), tmp_path))
        writer, holder = [await opened(stack, world, role, world.names) for role in ("writer", "holder")]
        traded = legs(world, *chains)
        times = writer.ladder("option", {name: leg.chain for name, leg in traded.items()}, life=600)
        options = {"kind": "call", "releases": "yes"}
        peer = f"{holder.identity}@http://{holder.settings.peer.listen}"
        proposal = await writer.propose("option", "writer", traded, options, times, peer)
        assert proposal.stage.name == "agreed"
        (ours,), (theirs,) = await writer.deals(), await holder.deals()
        assert ours.terms == theirs.terms
        for party in (writer, holder):
            await party.store.deals()  # whoever drives a deal gives consents
        await releases(world, writer, holder)


async def releases(world: World, writer: Party, holder: Party) -> None:
    """The holder funds the strike, the writer signs its release: held if good for what stands there, else not."""
    (deal,) = await writer.deals()
    spoken = protocol("option")
    leg = spoken.legs(deal.terms)["strike"]
    address = writer.chains[leg.chain].address(leg).address
    assert address == holder.chains[leg.chain].address(leg).address
    for party in (writer, holder):
        await party.chains[leg.chain].watch(leg, deal.since[leg.chain])
    await world.pay(leg.chain, leg.asset, address, leg.amount)
    for party in (writer, holder):
        await party.look()
    wallet = writer.wallets[leg.chain]
    key = wallet.key(deal.nonce, "strike.signer")
    consent = await wallet.consent(leg, "release", key)
    await writer.store.give_consent(deal.id, "strike", "release", consent)
    wrong = await wallet.consent(leg, "release", Key(key.public, b"\x07" * 32))
    with pytest.raises(PeerUnavailable, match="not good"):
        await writer.mailer.send_consent(deal, "strike", "release", wrong)
    assert not (await holder.store.deal(deal.id)).consents_held
    await asyncio.gather(*(writer.mailer.send_consent(deal, "strike", "release", consent) for _ in range(2)))
    held = await holder.store.deal(deal.id)
    assert held.consents_held == {("strike", "release"): consent}
