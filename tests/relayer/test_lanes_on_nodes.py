"""Validators and a relayer in one process, on two nodes: a message crosses, and no liar can stop it."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chains.errors import ChainError, ChainUnavailable
from chains.evm.codec import public_address
from chains.evm.messaging import calls
from chains.evm.messaging.quorum import Checkpoint, SignerSet, rotation_digest, sign
from relayer.errors import (
    BadLane,
    LaneError,
    LogsContradict,
    NoAgreement,
    NoSuchMessage,
    NotYet,
    SafetyHalt,
    Undeliverable,
)
from relayer.loading import load
from relayer.messages.relayer import Relayer
from relayer.messages.signatures import Claim
from relayer.party import load_seed
from relayer.testing.lanes import NAME, PASSPHRASE, LaneWorld
from relayer.validator.service import Validator, set_floor, signing_key
from settlement import seed as seeds
from settlement.store import Store
from tests.relayer import lying

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def world(anvil_factory, tmp_path):
    return await LaneWorld.make(await anvil_factory(), await anvil_factory(), tmp_path)


@asynccontextmanager
async def validators(world: LaneWorld, places=(0, 1, 2), **changes):
    """Some members of the set, running; their URLs."""
    async with signing(world.validator(place, free_port(), **changes) for place in places) as urls:
        yield urls


@asynccontextmanager
async def signing(files: Iterable[Path]):
    """Validators of these configurations, running; their URLs."""
    stop, urls = asyncio.Event(), []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for file in files:
            settings = load(file)
            validator = await stack.enter_async_context(Validator.open(settings, load_seed(settings)))
            ready = asyncio.Event()
            group.create_task(validator.run(stop, ready))
            await ready.wait()
            urls.append(f"http://{settings.validator.listen}")
        try:
            yield urls
        finally:
            stop.set()


@asynccontextmanager
async def relayer(world: LaneWorld, urls, name="relayer", **tables):
    settings = load(world.relayer(name, urls, **tables))
    await world.endow(settings)
    async with Relayer.open(settings, load_seed(settings)) as made:
        yield made


@asynccontextmanager
async def carrying(made: Relayer):
    stop = asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def until(check, seconds=60.0):
    async with asyncio.timeout(seconds):
        while True:
            if await check():
                return
            await asyncio.sleep(0.1)


async def test_messages_cross_and_are_settled(world):
    async with validators(world) as urls, relayer(world, urls) as made, carrying(made):
        await world.send(20)
        await world.finalise(world.here)

        async def delivered() -> bool:
            return await world.delivered(20) == 20

        await until(delivered)

        async def settled() -> bool:
            await world.finalise(world.there)
            return made.runners[NAME].state.settled.size == 20

        await until(settled)
    assert made.runners[NAME].counts()["pending"] == 0


# --- nodes that lie


LIES = [lying.empty_logs, lying.other_roots, lying.other_blocks, lying.made_up, lying.Lagging(2)]


@pytest.mark.parametrize("lie", LIES, ids=["empty logs", "roots", "blocks", "messages", "lag"])
async def test_one_lying_endpoint_of_three_changes_nothing(world, lie):
    await world.send(3)
    await world.finalise(world.here)
    async with lying.lying(world.here.url, lie) as liar:
        settings = load(world.validator(0, free_port(), [liar.url, world.here.url, world.here.url]))
        async with Validator.open(settings, load_seed(settings)) as validator:
            signer = validator.signers[NAME]

            async def signed() -> bool:
                with suppress(LaneError, ChainError):
                    await signer.step()
                return signer.seen == 3

            await until(signed, 20)
            claim = await signer.vote(1, 3)
            count, root = calls.read_checkpoint(
                await world.here.rpc(
                    "eth_call",
                    {"to": world.outbox, "data": "0x" + calls.checkpoint_call(world.lane.id).hex()},
                    "latest",
                )
            )
            assert (claim.count, claim.root) == (count, root)


async def test_two_lying_endpoints_of_three_that_disagree_get_no_signature(world):
    await world.send(1)
    await world.finalise(world.here)
    async with (
        lying.lying(world.here.url, lying.other_roots) as one,
        lying.lying(world.here.url, lying.other_blocks) as other,
    ):
        settings = load(world.validator(0, free_port(), [one.url, other.url, world.here.url]))
        async with Validator.open(settings, load_seed(settings)) as validator:
            with pytest.raises(NoAgreement):
                await validator.signers[NAME].step()
            with pytest.raises(LaneError):
                await validator.signers[NAME].vote(1, 1)


@pytest.mark.parametrize(
    ("lie", "error"),
    [(lying.empty_logs, LogsContradict), (lying.made_up, ChainUnavailable)],
    ids=["empty logs", "messages"],
)
async def test_a_relayer_with_a_lying_node_goes_on_when_it_stops(world, lie, error):
    await world.send(4)
    await world.finalise(world.here)
    async with lying.lying(world.here.url, lie) as liar, validators(world) as urls:
        chains = {"here": world.chain("here", liar.url), "there": world.chain("there")}
        async with relayer(world, urls, chains=chains) as made:
            for _ in range(3):
                with pytest.raises(error):
                    await made.runners[NAME].step()
            assert await world.delivered(4) == 0
            liar.change = lying.truth
            async with carrying(made):
                await until(lambda: is_delivered(world, 4))


# --- signers that lie


def claim_of(world: LaneWorld, place: int, count: int, root: bytes) -> Claim:
    key = signing_key(seeds.from_words(world.members[place]))
    return Claim(1, count, root, sign(Checkpoint(1, world.lane, count, root).digest, key))


@asynccontextmanager
async def false_validator(world: LaneWorld, place: int, roots):
    """A member that signs what it likes: the next of `roots` for each question."""
    turns = iter(roots)

    async def vote(request: web.Request) -> web.Response:
        root = next(turns)
        return web.json_response(claim_of(world, place, int(request.match_info["count"]), root).to_json())

    app = web.Application()
    app.add_routes([web.post("/v1/lanes/{lane}/votes/{set}/{count}", vote)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_signer_that_lies_is_excluded_and_the_others_suffice(world):
    lie = itertools.repeat(b"\xab" * 32)
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(validators(world))
        liar = await stack.enter_async_context(false_validator(world, 3, lie))
        made = await stack.enter_async_context(relayer(world, [liar, *urls]))
        await stack.enter_async_context(carrying(made))
        await world.send(2)
        await world.finalise(world.here)
        await until(lambda: is_delivered(world, 2))
        (accused,) = await made.store.messages.accused(world.lane.id)
        assert (accused.kind, accused.signer) == ("lie", member(world, 3))
        await world.send(1)
        await world.finalise(world.here)
        await until(lambda: is_delivered(world, 3))


async def test_a_lying_signer_without_whom_there_is_no_quorum_delivers_nothing(world):
    lie = itertools.repeat(b"\xab" * 32)
    async with validators(world, (0, 1)) as urls, false_validator(world, 3, lie) as liar:
        async with relayer(world, [liar, *urls]) as made:
            await world.send(2)
            await world.finalise(world.here)
            for _ in range(3):
                assert not await made.runners[NAME].step()
            assert "2 valid signatures" in made.runners[NAME].state.trouble
            assert await world.delivered(2) == 0


async def test_a_signer_of_two_roots_halts_the_lane(world):
    await world.send(2)
    await world.finalise(world.here)
    true = calls.read_checkpoint(
        await world.here.rpc(
            "eth_call", {"to": world.outbox, "data": "0x" + calls.checkpoint_call(world.lane.id).hex()}, "latest"
        )
    )[1]
    both = itertools.cycle([true, b"\xab" * 32])
    async with validators(world, (0,)) as urls, false_validator(world, 3, both) as liar:
        async with relayer(world, [liar, *urls]) as made:
            for _ in range(3):
                await made.runners[NAME].step()
            note = (await made.store.messages.notes())[world.lane.id]
            assert "signed two roots" in note.halted
            assert [one.kind for one in await made.store.messages.accused(world.lane.id)] == ["equivocation"]
            assert not (await made.health()).ready
            await made.pause(NAME, False)  # an operator has looked: the signer stays excluded
            assert (await made.store.messages.notes())[world.lane.id].halted is None


# --- validators: never two roots


async def test_a_reorganisation_of_what_was_signed_stops_a_validator_for_good(world):
    await world.send(2)
    await world.finalise(world.here)
    file = world.validator(0, free_port())
    settings = load(file)
    async with Validator.open(settings, load_seed(settings)) as validator:
        await validator.signers[NAME].step()
        await world.here.reorg(5)
        await world.here.mine(8)
        with pytest.raises(SafetyHalt, match="when we signed for it"):
            await validator.signers[NAME].step()
    with pytest.raises(SafetyHalt):  # also after a restart
        async with Validator.open(settings, load_seed(settings)):
            pass


async def test_a_restored_validator_signs_nothing_below_its_floor(world):
    await world.send(2)
    await world.finalise(world.here)
    settings = load(world.validator(0, free_port()))
    database = settings.party.folder / "validator.db"
    async with Validator.open(settings, load_seed(settings)):
        pass
    backup = settings.party.folder / "backup.db"
    backup.write_bytes(database.read_bytes())
    async with Validator.open(settings, load_seed(settings)) as validator:
        await validator.signers[NAME].step()
    for file in settings.party.folder.glob("validator.db*"):
        if file.suffix != ".epoch":
            file.unlink()
    database.write_bytes(backup.read_bytes())
    database.chmod(0o600)
    for _ in range(2):
        with pytest.raises(SafetyHalt, match="restored"):
            async with Validator.open(settings, load_seed(settings)):
                pass
    async with await Store.open(str(database), drive=True) as store:
        with pytest.raises(BadLane):
            await set_floor(store, settings, {})
        await set_floor(store, settings, {NAME: 2})
    async with Validator.open(settings, load_seed(settings)) as validator:
        signer = validator.signers[NAME]
        with pytest.raises(NotYet):
            await signer.step()
        await world.send(1)
        await world.finalise(world.here)
        await signer.step()
        assert (await signer.vote(1, 3)).count == 3
        with pytest.raises(NotYet):
            await signer.vote(1, 2)


async def test_signatures_in_a_folder_are_as_good(world):
    await world.send(2)
    await world.finalise(world.here)
    async with AsyncExitStack() as stack:
        for place in range(3):
            settings = load(world.validator(place, free_port(), folder="../signatures"))
            validator = await stack.enter_async_context(Validator.open(settings, load_seed(settings)))
            await validator.signers[NAME].step()
    section = world.section(signatures="../signatures")
    settings = load(world.configure("by-folder", seeds.new_words(), lanes={NAME: section}))
    await world.endow(settings)
    async with Relayer.open(settings, load_seed(settings)) as made, carrying(made):
        await until(lambda: is_delivered(world, 2))


# --- recipients, the governor, sets, other relayers


async def test_a_message_that_failed_is_tried_again_by_hand(world):
    stranger = "0x" + "77" * 20
    async with validators(world) as urls, relayer(world, urls) as made:
        await world.send(1, recipient=stranger)
        await world.send(1)
        await world.finalise(world.here)
        await made.clear()
        assert await world.delivered(2) == 2
        runner = made.runners[NAME]
        (failed, good) = await made.store.messages.messages(world.lane, 0, 2)
        assert (await made.message(failed.id))["state"] == "failed"
        assert (await made.message(good.id))["state"] == "delivered"
        with pytest.raises(Undeliverable, match="FailedAgain"):
            await made.retry(failed.id)
        await world.there.rpc("anvil_impersonateAccount", stranger)
        await world.there.rpc("anvil_setBalance", stranger, hex(10**18))
        opting = {"from": stranger, "to": world.inbox, "data": "0x" + calls.opt(True).hex()}
        await world.there.receipt(await world.there.rpc("eth_sendTransaction", opting))
        await made.retry(failed.id)
        await world.finalise(world.there)
        await made.clear()
        assert (await made.message(failed.id))["state"] == "settled"
        assert runner.counts()["pending"] == 0
        with pytest.raises(NoSuchMessage):
            await made.message(b"\x01" * 32)


async def test_the_governor_holds_back_and_a_restart_forgets_nothing(world):
    sender = next(iter(world.here.accounts))
    lanes = {NAME: world.section(herald=sender)}
    limits = {"native": {"message": 100, "day": 150, "delay": 3600}}

    def amount(units: int) -> bytes:
        return b"\x01" * 32 + bytes(32) + bytes(32) + units.to_bytes(32, "big")

    async with validators(world) as urls:
        lanes[NAME]["validators"] = urls
        tables = {"lanes": lanes, "relay": {"limits": limits}}
        for units in (90, 101, 60, 61):
            await world.send(1, payload=amount(units))
        await world.finalise(world.here)
        async with relayer(world, urls, **tables) as made:
            await made.clear()
            assert await world.delivered(4) == 2  # 90 and 60; 101 is too much at once, 61 too much in a day
            assert set(made.runners[NAME].state.held) == {1, 3}
        offset = world.folder / "offset"
        async with relayer(world, urls, testing={"clock_offset_file": "../offset"}, **tables) as made_again:
            pass
        offset.write_text("0")
        settings = load(world.configure("relayer", "", testing={"clock_offset_file": "../offset"}, **tables))
        async with Relayer.open(settings, load_seed(settings)) as made_again:
            await made_again.clear()
            assert await world.delivered(4) == 2
            offset.write_text("3700")
            await made_again.clear()
            assert await world.delivered(4) == 4


async def test_the_set_is_replaced_under_a_relayer(world):
    async with validators(world, (0, 1, 2)) as urls, relayer(world, urls) as made:
        await world.send(1)
        await world.finalise(world.here)
        runner = made.runners[NAME]
        await made.clear()
        assert await world.delivered(1) == 1
        following = SignerSet(2, world.signers.members)
        keys = [signing_key(seeds.from_words(words)) for words in world.members]
        digest = rotation_digest(world.there.chain_id, world.quorum, following)
        signed = world.signers.gather(digest, {public_address(k.public_key): sign(digest, k) for k in keys})
        data = calls.rotate(following, world.signers, signed)
        request = {"from": next(iter(world.there.accounts)), "to": world.quorum, "data": "0x" + data.hex()}
        await world.there.receipt(await world.there.rpc("eth_sendTransaction", request))
        await world.there.rpc("evm_increaseTime", 3 * 3600)
        await world.there.mine(1)
        await world.send(1)
        await world.finalise(world.here)
        for _ in range(3):
            await runner.step()
        assert await world.delivered(2) == 1  # signatures of the old set are refused, and asked for anew
        assert runner.state.trouble
    async with validators(world, (0, 1, 2), set=2) as urls, relayer(world, urls) as made:
        await made.clear()
        assert await world.delivered(2) == 2


async def test_two_relayers_with_one_key_deliver_each_message_once(world):
    async with validators(world) as urls, relayer(world, urls) as one:
        words = seeds.new_words()
        file = world.configure("twin", words, lanes={NAME: world.section(urls)})
        twin = load(file)
        async with Relayer.open(
            twin, seeds.load(one._parts.settings.party.folder / "seed.json", PASSPHRASE)
        ) as other:
            assert one.pushers["there"].address == other.pushers["there"].address
            await world.flood(600, gas=100_000)
            await world.finalise(world.here)
            async with carrying(one), carrying(other):
                await until(lambda: is_delivered(world, 600))
                for _ in range(4):
                    await world.finalise(world.there)
                    await asyncio.sleep(0.1)
    logs = await world.there.rpc(
        "eth_getLogs",
        {"address": world.inbox, "topics": [calls.DELIVERED], "fromBlock": "0x0", "toBlock": "latest"},
    )
    assert sorted(calls.read_delivered(log).index for log in logs) == list(range(600))


async def test_what_a_deal_waits_for_goes_before_a_backlog(world):
    sender = next(iter(world.here.accounts))
    terms = b"\x42" * 32
    async with validators(world) as urls:
        async with relayer(world, urls, lanes={NAME: world.section(urls, herald=sender)}) as made:
            runner = made.runners[NAME]
            runner._watch = {terms: 2_000_000_000}.get
            await world.flood(300)
            await world.send(1, payload=terms + bytes(96))
            await world.finalise(world.here)
            await runner.learn()
            await runner._attest()
            await runner._deliver()
            pushed = await made.store.messages.flying()
            assert (pushed[0].first, pushed[0].end) == (300, 301)


async def test_one_block_with_more_messages_than_an_answer_holds(world):
    await world.flood(1)
    await world.here.rpc("evm_setBlockGasLimit", hex(2**31))
    await world.here.rpc("evm_setAutomine", False)
    await world.flood(2599)  # eight transactions
    await world.here.mine(1)
    await world.here.rpc("evm_setAutomine", True)
    block = await world.here.rpc("eth_getBlockByNumber", "latest", False)
    assert len(block["transactions"]) == 8
    await world.finalise(world.here)
    async with validators(world) as urls, relayer(world, urls) as made, carrying(made):
        await until(lambda: is_delivered(world, 2600), 90)


async def test_a_delivery_that_is_reorganised_away_is_made_again(world):
    async with validators(world) as urls, relayer(world, urls) as made, carrying(made):
        before = await world.there.height()
        await world.send(5)
        await world.finalise(world.here)
        await until(lambda: is_delivered(world, 5))
        await world.there.rpc("evm_setAutomine", False)
        await world.there.reorg(await world.there.height() - before)
        await world.there.rpc("anvil_dropAllTransactions")
        assert await world.delivered(5) == 0
        await world.there.rpc("evm_setAutomine", True)
        await world.there.mine(1)

        async def settled() -> bool:
            await world.there.mine(1)
            return made.runners[NAME].state.settled.size == 5

        await until(settled)


async def is_delivered(world: LaneWorld, count: int) -> bool:
    return await world.delivered(count) == count


def member(world: LaneWorld, place: int) -> str:
    return public_address(signing_key(seeds.from_words(world.members[place])).public_key)
