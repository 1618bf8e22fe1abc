"""/v1/events: deals, proposals and takings as they change, as server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from htlc.errors import NoSuchDeal
from relayer.api import models
from relayer.api.asks import EventsQuery
from relayer.api.errors import TokenNeeded, TooManyStreams
from relayer.api.news import Item, News
from relayer.api.operation import AnyOperation, Call, Operation
from relayer.api.resources.deals import Deals
from relayer.api.resources.offers import Offers
from relayer.api.resources.proposals import Proposals
from relayer.api.scopes import Scope
from relayer.api.tokens import Wardens
from relayer.streaming import Line, Readers

if TYPE_CHECKING:
    from relayer.daemon import Daemon

BEAT_SECONDS: Final = 15.0  # a reader hears from us so often, or the line is dead
WRITE_SECONDS: Final = 10.0  # a reader who takes longer is let go
LAST_ID: Final = "Last-Event-ID"


class Events:
    """Streams of one API. `close` ends them, so that the server can stop."""

    def __init__(
        self, daemon: Daemon, wardens: Wardens, deals: Deals, proposals: Proposals, offers: Offers
    ) -> None:
        self._driver = daemon.driver
        self._most = daemon.party.settings.api.streams
        self._wardens = wardens
        self._deals = deals
        self._proposals = proposals
        self._offers = offers
        self._readers = Readers()
        self._rendered: dict[Item, str] = {}
        self._look = -1
        self.news = News(daemon)
        self.close = self._readers.close

    def operations(self) -> tuple[AnyOperation, ...]:
        return (
            Operation(
                "GET",
                "/v1/events",
                "followEvents",
                "Follow what changes: first all that is open, then each deal, proposal or taking as it changes.",
                Scope.READ,
                models.Reset,
                None,
                query=EventsQuery,
                problems=(NoSuchDeal, TooManyStreams),
                streams=self.serve,
            ),
        )

    async def serve(self, call: Call[EventsQuery, None]) -> web.StreamResponse:
        """Send until the reader goes, its token is good no more, or it lags too far behind."""
        deal, request = call.query.deal, call.request
        if self._readers.open >= self._most:
            raise TooManyStreams(self._most)
        if deal:
            await self._deals.find(deal)  # or there is none
        await self.news.join()
        try:
            return await self._readers.serve(request, WRITE_SECONDS, lambda line: self._send(line, request, deal))
        finally:
            self.news.leave()

    async def _send(self, line: Line, request: web.Request, deal: str) -> None:
        news, loop = self.news, asyncio.get_running_loop()
        shown = request.headers.get(LAST_ID, "")
        place = news.place(shown)
        if place is None:
            place = news.last
            await self._reset(line, place, deal, "new" if not shown else "lost")
        beaten_at = loop.time()
        while not self._readers.closing.is_set():
            items = news.after(place)
            if items is None:
                return  # it lags too far behind: it may come again, and is told what stands then
            for item in items:
                if deal in ("", item.about):
                    await line.event(item.kind, await self._render(item), news.id_of(item.number))
                    beaten_at = loop.time()
            place = max((item.number for item in items), default=place)
            if loop.time() - beaten_at > BEAT_SECONDS:
                beaten_at = loop.time()
                if not await self._still_good(request):
                    return
                await line.beat()
            await news.more(place, 1.0)

    async def _still_good(self, request: web.Request) -> bool:
        try:
            await self._wardens.caller(request.headers.get("Authorization"))
        except TokenNeeded:
            return False
        return True

    async def _reset(self, line: Line, place: int, deal: str, reason: models.ResetReason) -> None:
        """What stands now, of which what follows is the news."""
        ids = (deal,) if deal else tuple(self._driver.reports)
        id_ = self.news.id_of(place)
        await line.event("reset", models.Reset(reason=reason, deals=len(ids)).model_dump_json(), id_)
        for one in ids:
            try:
                await line.event("deal", (await self._deals.find(one)).model_dump_json(), id_)
            except NoSuchDeal:
                continue

    async def _render(self, item: Item) -> str:
        """What there is to say of an item now; once for each look, however many read it."""
        look = self._driver.pulse.ticks
        if look != self._look:
            self._rendered, self._look = {}, look
        text = self._rendered.get(item)
        if text is None:
            text = await self._text(item)
            self._rendered[item] = text
        return text

    async def _text(self, item: Item) -> str:
        match item.kind:
            case "deal":
                return (await self._deals.find(item.about)).model_dump_json()
            case "proposal":
                return (await self._proposals.find(item.about)).model_dump_json()
            case "taking":
                return (await self._offers.find_taking(item.about)).model_dump_json()
