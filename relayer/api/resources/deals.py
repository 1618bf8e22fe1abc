"""/v1/deals: what is open, what is over, and what we want of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from htlc.errors import NoSuchDeal
from htlc.ports import Deal
from htlc.protocols.option import HOLDER
from relayer.api import models, views
from relayer.api.asks import DealsQuery, WishBody
from relayer.api.errors import SenselessWish
from relayer.api.operation import AnyOperation, Call, Keyed, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.dashboard.option import is_option
from relayer.errors import DealOver
from relayer.health import margins
from settlement.backup import describe

if TYPE_CHECKING:
    from relayer.daemon import Daemon

ByDeal = Call[NoQuery, None]


class Deals:
    """Open ones as the driver saw them last, others from the store."""

    def __init__(self, daemon: Daemon) -> None:
        self._driver = daemon.driver
        self._party = daemon.party

    def operations(self) -> tuple[AnyOperation, ...]:
        one, terms = "/v1/deals/{deal}", "/v1/deals/{deal}/terms"
        missing = (NoSuchDeal,)
        about = "List deals in short."
        return (
            Operation(
                "GET", "/v1/deals", "listDeals", about, Scope.READ, models.DealPage, self.all, query=DealsQuery
            ),
            Operation("GET", one, "showDeal", "Show a deal.", Scope.READ, models.Deal, self.one, problems=missing),
            Operation(
                "GET",
                terms,
                "exportTerms",
                "Export what was agreed, for the other party, a court, or `strikelock recover`.",
                Scope.READ,
                models.TermsDocument,
                self.terms,
                problems=missing,
            ),
            Operation(
                "POST",
                "/v1/deals/{deal}/wishes",
                "wish",
                "Say what we want of a deal; it is done as soon as it is safe.",
                Scope.TRADE,
                models.Wishes,
                self.wish,
                body=TypeAdapter(WishBody),
                keyed=Keyed.MAY,
                problems=(NoSuchDeal, DealOver, SenselessWish),
            ),
        )

    async def all(self, call: Call[DealsQuery, None]) -> models.DealPage:
        query, store, reports = call.query, self._party.store, self._driver.reports
        if query.state == "open":
            found = await store.open_page(query.limit + 1, query.first)
        else:
            found = await store.history(query.limit + 1, query.first, closed=True)
        shown, place = views.part(found, query.first, query.limit)
        seen = {deal.id: reports[deal.id] for deal in shown if deal.id in reports}
        due = margins(seen)
        listed = (views.summary(deal, seen.get(deal.id), due.get(deal.id)) for deal in shown)
        return models.DealPage(deals=tuple(listed), **place)

    async def one(self, call: ByDeal) -> models.Deal:
        return await self.find(call.params["deal"])

    async def find(self, id_: str) -> models.Deal:
        """A deal as it was seen last. Raises NoSuchDeal."""
        report = self._driver.reports.get(id_)
        deal = report.observation.deal if report is not None else await self._party.store.deal(id_)
        intents = () if report is not None else await self._party.store.intents(id_)
        margin = None if report is None else margins({id_: report}).get(id_)
        return views.whole(deal, report, margin, intents, self._party.settings.explorers)

    async def terms(self, call: ByDeal) -> models.TermsDocument:
        deal = await self._party.store.deal(call.params["deal"])
        return models.TermsDocument(
            deal=deal.id,
            digest=deal.terms.digest.hex(),
            terms=deal.terms.to_json(),
            descriptor=describe(deal, self._party.agreement.identity).text,
        )

    async def wish(self, call: Call[NoQuery, WishBody]) -> models.Wishes:
        deal = await self._party.store.deal(call.params["deal"])
        if deal.outcome is not None:
            raise DealOver(deal.id, deal.outcome)
        _check(deal, call.body.wish)
        wanted: dict[str, Any] = {views.WISHES[call.body.wish]: True}
        will = replace(deal.will, **wanted)
        await self._party.store.resolve(deal.id, will)
        self._driver.poke()
        return views.wishes(will)


def _check(deal: Deal, wish: models.WishName) -> None:
    """Refuse what can never be; whether something is safe now is the plan's to say."""
    if wish == "exercise" and not (is_option(deal.terms) and deal.role == HOLDER):
        raise SenselessWish(deal.id, wish, "only the holder of an option exercises")
    if wish == "release" and deal.terms.options.get("releases") != "yes":
        raise SenselessWish(deal.id, wish, "its terms allow none")
