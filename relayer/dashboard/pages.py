"""Serves the page: static files under a strict policy, the board as JSON and as a stream, an option's profile.

Pages of other sites get nothing (`relayer.admission`). Nothing secret is said; what changes something needs a
token (`relayer.dashboard.steering`).
"""

from __future__ import annotations

from typing import Annotated, Final, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from options.quoting import Market
from relayer.admission import local_only
from relayer.dashboard.board import BoardMaker
from relayer.dashboard.steering import Steering
from relayer.dashboard.stream import Streams
from relayer.statics import guarded_headers, static_routes

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
    app.on_response_prepare.append(guarded_headers)
    app.on_shutdown.append(streams.close)
    app.add_routes([*static_routes("relayer.dashboard"), *_data(maker, streams), *steering.routes()])
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


def _query(model: type[Q], request: web.Request) -> Q:
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise web.HTTPBadRequest(text=words) from None
