"""strikelock validator start: signers of every lane, served over HTTP.

What it answers is public: signatures over roots that anybody can check. An answer costs one signature at most.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import coincurve
import structlog
from aiohttp import web

from chains.errors import ChainError
from chains.evm.account import derive_account
from chains.evm.adapter import EvmChain
from chains.evm.client import Client
from chains.evm.messaging.message import Lane
from chains.registry import make_chain
from relayer.errors import BadLane, LaneError, NotYet, SafetyHalt
from relayer.listening import listen
from relayer.messages.ends import Outbox
from relayer.messages.relayer import lane_of
from relayer.messages.waiting import first_of
from relayer.notify import READY, STOPPING, notify
from relayer.settings import LaneSettings, Settings
from relayer.validator.agreement import Endpoints
from relayer.validator.signer import FLOOR, LaneSigner
from settlement.seed import Seed
from settlement.spans import Spans
from settlement.store import Store
from settlement.store.errors import AlreadyVoted, StoreError

log = structlog.get_logger(__name__)

DATABASE_FILE: Final = "validator.db"
ACCOUNT: Final = 2  # of the seed: the key that signs, with no money on it
STEP_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 30.0
RESTORED: Final = "restored"  # spans that stand while an operator owes a restored database a floor
MAX_BODY: Final = 1024


class Validator:
    """Signs, and serves what it signed."""

    def __init__(self, settings: Settings, signers: Mapping[str, LaneSigner]) -> None:
        self._settings = settings
        self.signers = signers
        self._by_id = {signer.lane.id.hex(): signer for signer in signers.values()}

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, seed: Seed) -> AsyncIterator[Validator]:
        """Open endpoints and database. Raises BadLane, SafetyHalt, DatabaseInUse."""
        if not settings.lanes:
            raise BadLane("(none)", "the configuration has no lanes")
        key = signing_key(seed)
        async with AsyncExitStack() as stack:
            settings.party.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = str(settings.party.folder / DATABASE_FILE)
            store = await stack.enter_async_context(await Store.open(path, drive=True))
            await _refuse_restored(store)
            signers = {}
            for name, lane in settings.lanes.items():
                signers[name] = await _signer(stack, settings, name, lane, store, key)
                await signers[name].open()
            yield cls(settings, signers)

    async def run(self, stop: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Sign and serve until `stop` is set. Raises CannotListen, SafetyHalt."""
        async with AsyncExitStack() as stack:
            await listen(stack, "validator", self.application(), self._settings.validator.listen)
            async with asyncio.TaskGroup() as group:
                for signer in self.signers.values():
                    group.create_task(self._follow(signer, stop))
                if ready is not None:
                    ready.set()
                notify(READY)
            notify(STOPPING)

    async def _follow(self, signer: LaneSigner, stop: asyncio.Event) -> None:
        pause = STEP_SECONDS
        while not stop.is_set():
            announcement = signer.announcement
            try:
                await signer.step()
                pause = STEP_SECONDS
            except SafetyHalt:
                raise
            except (ChainError, LaneError, StoreError) as error:
                log.warning("nothing is signed", lane=signer.name, reason=str(error))
                pause = min(2 * pause, LONGEST_PAUSE)
            await first_of(pause * random.uniform(0.75, 1.0), stop.wait(), announcement.wait())

    # --- HTTP

    def application(self) -> web.Application:
        """POST and GET /v1/lanes/LANE/votes/SET/COUNT: our signature. GET /v1/status: who we are, what we see."""
        app = web.Application(client_max_size=MAX_BODY)
        path = r"/v1/lanes/{lane:[0-9a-f]{64}}/votes/{set:\d{1,10}}/{count:\d{1,10}}"
        app.add_routes(
            [web.post(path, self._vote), web.get(path, self._vote), web.get("/v1/status", self._status)]
        )
        return app

    async def _vote(self, request: web.Request) -> web.Response:
        signer = self._by_id.get(request.match_info["lane"])
        if signer is None:
            return _refusal(404, "there is no such lane here")
        try:
            claim = await signer.vote(int(request.match_info["set"]), int(request.match_info["count"]))
        except AlreadyVoted as error:
            return _refusal(409, str(error))
        except (ChainError, LaneError) as error:
            return _refusal(409 if isinstance(error, NotYet) else 503, str(error))
        except (StoreError, SafetyHalt) as error:
            return _refusal(503, str(error))
        return web.json_response(claim.to_json())

    async def _status(self, _: web.Request) -> web.Response:
        lanes = {
            signer.lane.id.hex(): {"name": name, "set": signer.number, "seen": signer.seen}
            for name, signer in self.signers.items()
        }
        address = next(iter(self.signers.values())).address
        return web.json_response({"signer": address, "lanes": lanes})


def signing_key(seed: Seed) -> coincurve.PrivateKey:
    """The validator's key."""
    return coincurve.PrivateKey(derive_account(seed.raw, ACCOUNT).secret)


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"reason": reason}, status=status)


async def _refuse_restored(store: Store) -> None:
    """A database that was restored does not know what was signed since. Raises SafetyHalt until it has a floor."""
    if store.restored:
        await store.messages.put_spans(RESTORED, Spans([(0, 1)]))
    if (await store.messages.spans(RESTORED)).size:
        raise SafetyHalt(
            "the database was restored from a backup, or lost the file beside it, and does not know what was"
            " signed since: give each lane a floor above all this key ever signed, `strikelock validator floor`"
        )


async def set_floor(store: Store, settings: Settings, floors: Mapping[str, int]) -> None:
    """Sign nothing at or below a count, for each lane. Raises BadLane unless every lane has one."""
    missing = settings.lanes.keys() - floors.keys()
    if missing:
        raise BadLane(", ".join(sorted(missing)), "a restored validator needs a floor for every lane")
    for name, count in floors.items():
        spans = await store.messages.spans(FLOOR + name)
        spans.add(0, count + 1)
        await store.messages.put_spans(FLOOR + name, spans)
    await store.messages.put_spans(RESTORED, Spans())


async def _signer(
    stack: AsyncExitStack,
    settings: Settings,
    name: str,
    lane: LaneSettings,
    store: Store,
    key: coincurve.PrivateKey,
) -> LaneSigner:
    here, there = _chain(settings, lane.source), _chain(settings, lane.destination)
    ends = lane_of(lane, here, there)
    urls = settings.validator.endpoints.get(lane.source, ())
    agree = settings.validator.agree
    if len(urls) < agree:
        raise BadLane(name, f"validator.endpoints.{lane.source} has {len(urls)} URLs, and {agree} must agree")
    outboxes = [await _outbox(stack, f"{lane.source}/{place}", url, ends, here) for place, url in enumerate(urls)]
    endpoints = Endpoints(lane.source, outboxes, agree)
    own = settings.validator
    return LaneSigner(name, ends, own.set, endpoints, store.messages, key, own.folder, lane.since)


async def _outbox(stack: AsyncExitStack, name: str, url: str, lane: Lane, chain: EvmChain) -> Outbox:
    client = Client(name, url, chain.settings.timeout, chain.settings.patience)
    stack.push_async_callback(client.close)
    await client.open()
    return Outbox(client, lane, chain.timing.depth, chain.settings.log_range)


def _chain(settings: Settings, name: str) -> EvmChain:
    """A chain for its settings alone: endpoints are the validator's own."""
    chain = make_chain(name, settings.chains[name])
    if not isinstance(chain, EvmChain):
        raise BadLane(name, "messages go between EVM chains only")
    return chain
