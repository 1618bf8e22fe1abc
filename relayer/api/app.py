"""The API as an application: at a TCP address for those with tokens, at a UNIX socket for the party's user."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from relayer.addresses import host_part
from relayer.admission import Handler
from relayer.api.door import Door, Way
from relayer.api.keys import Keys
from relayer.api.openapi import document
from relayer.api.operation import AnyOperation, Resource
from relayer.api.resources.chains import Chains
from relayer.api.resources.deals import Deals
from relayer.api.resources.events import Events
from relayer.api.resources.lanes import Lanes
from relayer.api.resources.legs import Legs
from relayer.api.resources.offers import Offers
from relayer.api.resources.party import Ourselves
from relayer.api.resources.proposals import Proposals
from relayer.api.resources.quotes import Quotes
from relayer.api.resources.tokens import Tokens
from relayer.api.scopes import Caller, Scope
from relayer.api.tokens import Wardens
from relayer.statics import guarded_headers, static_routes
from settlement.gate import Limiter, Rate

if TYPE_CHECKING:
    from relayer.daemon import Daemon

DOCUMENT: Final = "/openapi.json"
BROWSER: Final = "/docs"
BURST_SECONDS: Final = 4  # of the rate, that may come at once


class Api:
    """Everything behind the API of one daemon. A new resource goes into `_resources`."""

    def __init__(self, daemon: Daemon) -> None:
        self._settings = daemon.party.settings.api
        self._wardens = Wardens(daemon.party.store.tokens, daemon.party.clock.now)
        self._keys = Keys(daemon.party.store.requests, daemon.party.clock.now)
        rate = self._settings.rate
        self._limiter = Limiter(Rate(rate, rate * BURST_SECONDS))
        deals, proposals, offers = Deals(daemon), Proposals(daemon), Offers(daemon)
        self._events = Events(daemon, self._wardens, deals, proposals, offers)
        self._resources: tuple[Resource, ...] = (
            deals,
            proposals,
            self._events,
            Quotes(daemon),
            offers,
            Legs(daemon),
            Lanes(daemon),
            Chains(daemon),
            Ourselves(daemon),
            Tokens(daemon, self._wardens),
        )

    async def run(self) -> None:
        """Keep what is followed, for ever."""
        await self._events.news.run()

    def at_address(self) -> web.Application:
        """What is served at the TCP address."""
        hosts = {host_part(self._settings.listen), *self._settings.hosts}
        scope = None if self._settings.auth else Scope.READ
        way = Way(hosts, lambda request: Caller(f"peer {request.remote}", scope))
        return self._application(way, (one for one in self._operations() if not one.socket), scope is not None)

    def at_socket(self) -> web.Application:
        """What is served at the UNIX socket: everything, and to the party's own user without a token."""
        return self._application(Way(None, _at_socket), self._operations(), anonymous_reads=True)

    def _operations(self) -> Iterable[AnyOperation]:
        return (operation for resource in self._resources for operation in resource.operations())

    def _application(self, way: Way, operations: Iterable[AnyOperation], anonymous_reads: bool) -> web.Application:
        door, served = Door(way, self._wardens, self._keys, self._limiter), tuple(operations)
        app = web.Application(middlewares=door.middlewares)
        app.on_response_prepare.append(guarded_headers)
        app.on_shutdown.append(self._events.close)
        for one in served:
            app.router.add_route(one.method, one.path, door.handler(one))
        free = [web.get(DOCUMENT, _document(served, anonymous_reads))]
        for route in (*free, *static_routes("relayer.api", BROWSER)):
            app.router.add_get(route.path, door.for_all(route.handler))
        return app


def _document(served: Sequence[AnyOperation], anonymous_reads: bool) -> Handler:
    """What serves the OpenAPI document, which is made when it is first asked for: it takes a tenth of a second."""

    @cache
    def text() -> str:
        return json.dumps(document(served, anonymous_reads), indent=1)

    async def serve(_: web.Request) -> web.Response:
        found = await asyncio.to_thread(text)
        return web.json_response(text=found, headers={"Cache-Control": "no-cache"})

    return serve


def _at_socket(request: web.Request) -> Caller:
    """Who opened the socket: our own user may do everything; another, whom somebody let at it, needs a token."""
    sock = request.get_extra_info("socket")
    user = _user_of(sock) if sock is not None else None
    return Caller(f"user {user}", Scope.ADMIN if user == os.geteuid() else None)


def _user_of(sock: Any) -> int:
    """The user id at the other end of a UNIX socket, as the kernel knows it."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", packed)[1])
