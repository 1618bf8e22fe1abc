"""What an operator's machines ask a running party: /live, /ready and /metrics, on a loopback address of its own.

Nothing here can change anything, and nothing secret is said; so there is no token. A page in a browser is kept out
by the Host header: a name that was rebound to this machine's address stands in it.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from relayer.admission import local_only
from relayer.health import Health
from relayer.metrics import CONTENT_TYPE, Metrics

UNWELL = 503


def application(health: Callable[[], Health], metrics: Metrics) -> web.Application:
    """The application; it is asked for health and metrics anew at each request."""

    async def live(_: web.Request) -> web.Response:
        found = health()
        return _answer(found, found.live)

    async def ready(_: web.Request) -> web.Response:
        found = health()
        return _answer(found, found.ready)

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(middlewares=[local_only])
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", numbers)])
    return app


def _answer(health: Health, well: bool) -> web.Response:
    return web.json_response(health.document(), status=200 if well else UNWELL)
