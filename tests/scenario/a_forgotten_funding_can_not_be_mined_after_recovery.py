"""A party signs a funding and loses its machine before it is mined. Recovery sweeps the wallet: whoever has kept
the funding cannot have it mined any more, neither from the mempool nor later from a drawer."""

from __future__ import annotations

import pytest

from chains.errors import Rejected, StrikelockError
from chains.port import SignedTx, TxPhase
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.matrix import shared
from tests.recovering import recovered
from tests.stage import stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

# Chains, whose funding, of which leg; whether it was sent.
SHARE = [
    ("bitcoin/evm", "first", "x", True),
    ("bitcoin/evm", "second", "y", False),
    ("litecoin/evm", "first", "x", False),
    ("bitcoin/litecoin", "second", "y", False),
    ("evm/evm", "first", "x", True),
]
WHOLE = [
    (pair, who, leg, sent)
    for pair in CHAIN_PAIRS
    for who, leg in (("first", "x"), ("second", "y"))
    for sent in (True, False)
    # Litecoin's node can't say what its mempool spends, so one that was sent may be mined before it is outbid.
    # Then it stands before the recovery's eyes, and is refunded like any other.
    if not (sent and CHAIN_PAIRS[pair][who == "second"] == "litecoin")
]
STEPS = 400
SHRINK = 20


@pytest.mark.parametrize(("pair", "who", "leg", "sent"), shared(SHARE, WHOLE))
async def test_it_is_ruled_out(world, monkeypatch, pair, who, leg, sent):
    async with stage(world, f"forgotten-{who}-{sent}-{pair.replace('/', '-')}", CHAIN_PAIRS[pair]) as show:
        legs = plot("swap", Outcome.EXERCISED, "call", pair, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        deal = await show.agree("swap", "initiator", small)
        victim = show.first if who == "first" else show.second
        chain = victim.party.chains[small[leg].chain]
        if not sent:

            async def swallow(tx: SignedTx) -> None:
                raise Rejected(tx.chain, tx.txid, "the machine burnt before it was sent")

            monkeypatch.setattr(chain, "broadcast", swallow)
        for _ in range(STEPS):
            await show.tick()
            if await show.signed(victim, deal, leg, "fund"):
                break
            await world.step()
        (intent,) = await victim.party.store.intents(deal)
        show.awake.discard(victim.role)
        monkeypatch.undo()
        async with recovered(victim) as recovery:
            for _ in range(STEPS):
                await recovery.tick()
                await show.tick()
                if await recovery.over():
                    break
                await world.step(4)
            assert await recovery.over(), recovery.states()
            document = await recovery.document()
        assert {sweep["chain"] for sweep in document["sweeps"]} == {chain.name}
        assert document["deals"][0]["legs"][leg]["state"] == "absent"
        with pytest.raises(StrikelockError):
            await chain.broadcast(intent.tx)
        await chain.look()
        assert (await chain.trace(intent.tx, 0)).phase is TxPhase.DISPLACED
