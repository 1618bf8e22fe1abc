"""/v1/legs: where the money of open deals stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from htlc.errors import NoSuchDeal
from relayer.api import models, views
from relayer.api.asks import LegsQuery
from relayer.api.errors import NoSuchLeg
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.dashboard.cards import leg_card, leg_state

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Legs:
    """As the driver saw them last."""

    def __init__(self, daemon: Daemon) -> None:
        self._driver = daemon.driver
        self._explorers = daemon.party.settings.explorers

    def operations(self) -> tuple[AnyOperation, ...]:
        one = "/v1/legs/{deal}/{leg}"
        missing = (NoSuchDeal, NoSuchLeg)
        return (
            Operation(
                "GET",
                "/v1/legs",
                "listLegs",
                "List the legs of open deals.",
                Scope.READ,
                models.LegPage,
                self.all,
                query=LegsQuery,
            ),
            Operation(
                "GET",
                one,
                "showLeg",
                "Show a leg of an open deal.",
                Scope.READ,
                models.Leg,
                self.one,
                problems=missing,
            ),
        )

    async def all(self, call: Call[LegsQuery, None]) -> models.LegPage:
        query, reports = call.query, self._driver.reports
        found = [(id_, name) for id_ in sorted(reports) for name in self._wanted(id_, query)]
        shown, place = views.piece(found, query.first, query.limit)
        return models.LegPage(legs=tuple(self._leg(id_, name) for id_, name in shown), **place)

    def _wanted(self, id_: str, query: LegsQuery) -> Iterable[str]:
        seen = self._driver.reports[id_].observation
        legs = seen.deal.terms.legs
        if not query.chain and not query.state:
            return legs
        return [
            name
            for name, leg in legs.items()
            if query.chain in ("", leg.chain)
            and (not query.state or query.state == leg_state(seen.view.legs[name])[0])
        ]

    async def one(self, call: Call[NoQuery, None]) -> models.Leg:
        id_, name = call.params["deal"], call.params["leg"]
        if id_ not in self._driver.reports:
            raise NoSuchDeal(id_)
        if name not in self._driver.reports[id_].observation.deal.terms.legs:
            raise NoSuchLeg(id_, name)
        return self._leg(id_, name)

    def _leg(self, id_: str, name: str) -> models.Leg:
        card = leg_card(self._driver.reports[id_].observation, name, self._explorers)
        return models.Leg(deal=id_, **dict(card))
