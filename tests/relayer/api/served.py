"""An API that is served without a chain: a daemon that holds open deals, and a store of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from htlc.ports import Deal
from relayer.api.app import Api
from relayer.api.problems import Problem
from relayer.api.scopes import Scope
from relayer.api.tokens import new_token
from relayer.settings import ApiSettings
from settlement.store import Store
from tests.relayer.boards import LIVE, Running, deal, report

ABSENT = "0" * 32


@dataclass
class Served:
    """What a test has in its hands. bearer: headers with a token, by scope."""

    client: TestClient
    daemon: Running
    store: Store
    api: Api
    bearer: Mapping[str, dict[str, str]]

    async def read(self, path: str, **more: Any) -> ClientResponse:
        return await self.client.get(path, headers=self.bearer["read"], **more)

    async def trade(self, path: str, body: Any, **headers: str) -> ClientResponse:
        return await self.client.post(path, json=body, headers={**self.bearer["trade"], **headers})


@asynccontextmanager
async def served(folder: Path, deals: int = 3, **settings: Any) -> AsyncIterator[Served]:
    """Serve an API at a TCP address of this machine."""
    daemon = Running(
        {id_: report(deal(id=id_), LIVE, "a") for id_ in (f"{at:032x}" for at in range(1, deals + 1))}
    )
    async with await Store.open(str(folder / "api.db"), drive=True) as store:
        daemon.store, daemon.poked = store, 0
        daemon.settings = SimpleNamespace(**vars(daemon.settings), fees={}, lanes={})
        daemon.settings.party = SimpleNamespace(folder=folder, database="")
        daemon.settings.relay = SimpleNamespace(database="")
        daemon.settings.api = ApiSettings(**{"rate": 10_000, **settings})
        daemon.prices, daemon.agreement = {}, SimpleNamespace(url="http://127.0.0.1:1")
        daemon.shop = daemon.taker = None  # for offers there are nodes
        daemon.clock = SimpleNamespace(now=time.time)
        daemon.poke = lambda: setattr(daemon, "poked", daemon.poked + 1)
        bearer = {}
        for scope in Scope:
            record, secret = new_token(f"for {scope}", scope, int(time.time()), None)
            await store.tokens.add(record)
            bearer[scope.value] = {"Authorization": f"Bearer {secret}"}
        api = Api(daemon)
        async with TestClient(TestServer(api.at_address())) as client:
            yield Served(client, daemon, store, api, bearer)


async def stored(found: Served, **more: object) -> Deal:
    """A deal in the store."""
    kept = deal(**more)
    await found.store.add(kept)
    return kept


async def problem(answer: ClientResponse, status: int) -> Problem:
    """What a refusal says, which is always of one form."""
    text = await answer.text()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), text
    found = Problem.model_validate_json(text)
    assert found.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return found
