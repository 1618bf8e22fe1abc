"""A relayer feeds a light client of Bitcoin: headers, reorganisations, gaps, proofs that were asked for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from chains.bitcoin.encoding import segwit_address, sha256
from chains.bitcoin.params import NETWORKS
from chains.bitcoin.proofs import output_script
from relayer.errors import BadConfig, BadFeed, NoSuchFeed
from relayer.loading import load
from relayer.messages.relayer import Relayer
from relayer.party import load_seed
from relayer.testing.feeds import CONFIRMATIONS, FEED, FeedWorld, feed_world
from settlement.store.proofs import ProofRequest
from tests.relayer.test_lanes_on_nodes import carrying, until

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]

AMOUNT = 1_000_000
ANYBODY = b"\x51"  # a script that everybody can spend: OP_TRUE


@pytest.fixture
async def world(bitcoind_factory, anvil_factory, tmp_path):
    async with feed_world(await bitcoind_factory(), await anvil_factory(), tmp_path) as made:
        yield made


@asynccontextmanager
async def relayer(world: FeedWorld, name="relayer", **changes):
    settings = load(world.relayer(name, **changes))
    await world.endow(settings)
    async with Relayer.open(settings, load_seed(settings)) as made:
        yield made


async def finalise(world: FeedWorld) -> None:
    await world.bitcoind.mine(6)
    await world.there.mine(4)


async def test_headers_follow_a_chain_and_its_reorganisations(world):
    async with relayer(world, batch=4) as made, carrying(made):
        await world.bitcoind.mine(11)  # three batches
        await until(world.knows_best)
        await world.bitcoind.reorg(6)  # two batches, the first of which has less work than what is known
        await until(world.knows_best)
        feed = made.feeds[FEED]
        await feed.look()
        assert (feed.state.behind, feed.trouble, feed.state.insecure) == (0, None, True)
        assert [check.well for check in (await made.health()).checks if check.name == f"feed {FEED}"] == [True]


async def test_collateral_is_on_record_once_it_is_deep_and_again_after_a_reorganisation(world):
    async with relayer(world) as made, carrying(made):
        txid, output = await world.lock(AMOUNT)
        request = ProofRequest(FEED, txid, output)
        await made.prove(request)
        await until(world.knows_best)

        async def waits() -> bool:
            return any("TooShallow" in words for words in made.feeds[FEED].state.requests.values())

        await until(waits)
        await world.bitcoind.mine(CONFIRMATIONS - 1)
        await until(partial(world.stands, txid, output))
        await world.bitcoind.reorg(CONFIRMATIONS)  # the funding is in the pool again

        async def gone() -> bool:
            return await world.knows_best() and not await world.stands(txid, output)

        await until(gone)
        await world.bitcoind.mine(CONFIRMATIONS)
        await until(partial(world.stands, txid, output))
        (asked,) = await made.store.proofs.open(FEED)
        assert asked.outpoint == request.outpoint

        async def done() -> bool:
            await finalise(world)
            return not await made.store.proofs.open(FEED)

        await until(done)
        record = await world.registry.collateral(bytes.fromhex(txid)[::-1], output)
        assert record is not None
        assert record.amount == AMOUNT
        assert (await made.proofs())[request.outpoint]["state"] == "final"


async def test_what_can_not_be_proved_says_why_and_holds_nothing_up(world):
    async with relayer(world) as made, carrying(made):
        unknown = ProofRequest(FEED, "ab" * 32, 0)
        await made.prove(unknown)
        own = await world.bitcoind.rpc("getnewaddress")
        other = await world.bitcoind.send(own, AMOUNT)
        await world.bitcoind.mine(1)
        block = await world.best()
        await world.bitcoind.mine(CONFIRMATIONS - 1)
        vout = (await world.bitcoind.rpc("gettransaction", other))["details"][0]["vout"]
        await made.prove(ProofRequest(FEED, other, vout, block=block))  # spent meanwhile, or may be
        good = await world.lock(AMOUNT)
        await made.prove(ProofRequest(FEED, *good))
        await world.bitcoind.mine(CONFIRMATIONS - 1)
        await until(partial(world.stands, *good))

        async def said() -> bool:
            found = {request.txid: words for request, words in made.feeds[FEED].state.requests.items()}
            return "name it" in found.get("ab" * 32, "") and "pays no leg" in found.get(other, "")

        await until(said)
        with pytest.raises(NoSuchFeed):
            await made.prove(ProofRequest("other", "ab" * 32, 0))


async def test_a_spend_is_on_record_when_somebody_asks_for_it(world):
    program = sha256(ANYBODY)
    address = segwit_address(NETWORKS["bitcoin", "regtest"].hrp, output_script(program))
    async with relayer(world) as made, carrying(made):
        txid = await world.bitcoind.send(address, AMOUNT)
        (funded,) = await world.bitcoind.mine(1)
        outputs = (await world.bitcoind.rpc("getrawtransaction", txid, True, funded))["vout"]
        output = next(out["n"] for out in outputs if out["scriptPubKey"].get("address") == address)
        await made.prove(ProofRequest(FEED, txid, output))
        await world.bitcoind.mine(CONFIRMATIONS - 1)
        await until(partial(world.stands, txid, output))
        to = {await world.bitcoind.rpc("getnewaddress"): (AMOUNT - 1000) / 10**8}
        raw = bytes.fromhex(await world.bitcoind.rpc("createrawtransaction", [{"txid": txid, "vout": output}], to))
        witness = bytes([1, len(ANYBODY)]) + ANYBODY
        signed = raw[:4] + b"\x00\x01" + raw[4:-4] + witness + raw[-4:]
        spender = await world.bitcoind.rpc("sendrawtransaction", signed.hex())
        (block,) = await world.bitcoind.mine(1)
        spent = ProofRequest(FEED, txid, output, spender, block)
        await made.prove(spent)

        async def known() -> bool:
            return await world.registry.confirmations(bytes.fromhex(txid)[::-1], output) == (4, 1)

        await until(known)
        assert not await world.stands(txid, output)

        async def done() -> bool:
            await finalise(world)
            return not await made.store.proofs.open(FEED)

        await until(done)


async def test_a_relayer_that_was_away_finds_what_is_missing(world):
    async with relayer(world, batch=5) as made, carrying(made):
        await until(world.knows_best)
    await world.bitcoind.mine(12)
    asked = await world.lock(AMOUNT)
    await world.bitcoind.mine(CONFIRMATIONS - 1)
    async with relayer(world, batch=5) as made:
        await made.prove(ProofRequest(FEED, *asked))
    async with relayer(world, batch=5) as made, carrying(made):
        await until(partial(world.stands, *asked))
        assert await world.knows_best()


async def test_two_relayers_on_one_client_do_no_harm(world):
    async with relayer(world, "one") as one, relayer(world, "other") as other, carrying(one), carrying(other):
        for _ in range(3):
            await world.bitcoind.mine(2)
            await until(world.knows_best)
        await asyncio.sleep(0)
    assert await world.knows_best()


async def test_a_feed_that_leads_nowhere_is_refused(world):
    settings = load(world.relayer("wrong", client=world.registry.address))
    with pytest.raises(BadFeed, match="no light client"):
        async with Relayer.open(settings, load_seed(settings)):
            pass
    settings = load(world.relayer("wrong", registry=world.light.address))
    with pytest.raises(BadFeed, match="no registry"):
        async with Relayer.open(settings, load_seed(settings)):
            pass


def test_a_feed_goes_from_bitcoin_to_an_evm_chain(tmp_path):
    file = tmp_path / "strikelock.toml"
    file.write_text(
        """
        [party]
        folder = "."
        [chains.litecoin]
        family = "bitcoin"
        coin = "litecoin"
        network = "regtest"
        url = "http://127.0.0.1:19443"
        [feeds.one]
        source = "litecoin"
        destination = "litecoin"
        client = "0xc1332995A2aBD87B5ec4Bd3221760b3cfDF9784a"
        [feeds.two]
        source = "bitcoins"
        destination = "litecoin"
        client = "0x12"
        """
    )
    with pytest.raises(BadConfig) as found:
        load(file)
    assert "feeds.two.client" in str(found.value)
    file.write_text(file.read_text().replace('"0x12"', '"0xc1332995a2abd87b5ec4bd3221760b3cfdf9784a"'))
    with pytest.raises(BadConfig) as found:
        load(file)
    said = str(found.value)
    for part in ("feeds.one.source", "feeds.one.destination", "feeds.two.bitcoins", "feeds.two.destination"):
        assert part in said
