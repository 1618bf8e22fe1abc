"""Serves the page: static files under a strict policy, the board as JSON and as a stream, an option's profile.

The Host header must name this machine, as for `relayer.ops`: a page elsewhere whose name was rebound to our
address gets nothing. Nothing secret is said; what changes something needs a token (`relayer.dashboard.steering`).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Final, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from options.quoting import Market
from relayer.dashboard.board import BoardMaker
from relayer.dashboard.steering import Steering
from relayer.dashboard.stream import Streams
from relayer.ops import Handler, local_only

# No inline code or style, nothing from elsewhere, no frame around us, and no way to make markup of text.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
INDEX: Final = "index.html"
MAX_FIRST: Final = 10**6
MAX_BODY: Final = 1024  # bytes

Q = TypeVar("Q", bound="_Query")

Price = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Volatility = Annotated[float, Field(ge=1e-4, le=10, allow_inf_nan=False)]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoardQuery(_Query):
    """Which open deals: from the `first` most urgent one on."""

    first: int = Field(default=0, ge=0, le=MAX_FIRST)


class MarketQuery(_Query):
    """spot: money for one whole underlying. vol: per year, 0.6 for 60 %. Both or neither."""

    spot: Price | None = None
    vol: Volatility | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.spot is None) != (self.vol is None):
            raise ValueError("spot and vol come together")
        return self

    @property
    def market(self) -> Market | None:
        return None if self.spot is None or self.vol is None else Market(self.spot, self.vol)


def application(maker: BoardMaker, steering: Steering) -> web.Application:
    """The page as an application of its own."""
    streams = Streams(maker)
    app = web.Application(middlewares=[local_only], client_max_size=MAX_BODY)
    app.on_response_prepare.append(_headers)
    app.on_shutdown.append(streams.close)
    app.add_routes([*_static(), *_data(maker, streams), *steering.routes()])
    return app


def _data(maker: BoardMaker, streams: Streams) -> list[web.RouteDef]:
    async def board(request: web.Request) -> web.Response:
        found = await maker.board(_query(BoardQuery, request).first)
        return web.json_response(text=found.text, headers={"Cache-Control": "no-store"})

    async def events(request: web.Request) -> web.StreamResponse:
        return await streams.serve(request, _query(BoardQuery, request).first)

    async def option(request: web.Request) -> web.Response:
        market = _query(MarketQuery, request).market
        found = await maker.profile(request.match_info["deal"], market)
        if found is None:
            raise web.HTTPNotFound(text="no open option deal has this id")
        return web.json_response(text=found.model_dump_json(), headers={"Cache-Control": "no-store"})

    return [
        web.get("/board", board),
        web.get("/board/events", events, allow_head=False),
        web.get("/board/options/{deal:[0-9a-f]{1,64}}", option),
    ]


def _static() -> list[web.RouteDef]:
    """A route for each file there is, so that no path from outside ever reaches the file system."""
    routes = []
    for file in files("relayer.dashboard").joinpath("static").iterdir():
        kind = TYPES.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if file.name == INDEX else f"/{file.name}"
            routes.append(web.get(path, _file(file.read_bytes(), kind)))
    return routes


def _file(content: bytes, kind: str) -> Handler:
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache", "ETag": tag}

    async def serve(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=content, headers=headers)

    return serve


def _query(model: type[Q], request: web.Request) -> Q:
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise web.HTTPBadRequest(text=words) from None


async def _headers(_: web.Request, response: web.StreamResponse) -> None:
    """The same headers on every answer: files, streams and refusals."""
    response.headers.update(HEADERS)
