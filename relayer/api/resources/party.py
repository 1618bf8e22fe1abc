"""/v1/party: who answers, and whether it is well."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from relayer.api import models
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.dashboard.models import Check
from relayer.health import judge

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Ourselves:
    """The party that runs here."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def operations(self) -> tuple[AnyOperation, ...]:
        about = "Show who answers, and whether it is well."
        return (Operation("GET", "/v1/party", "showParty", about, Scope.READ, models.Party, self.show),)

    async def show(self, _: Call[NoQuery, None]) -> models.Party:
        daemon = self._daemon
        health = judge(daemon.vitals())
        held = [(chain, asset) for chain, assets in daemon.held.items() for asset in assets]
        return models.Party(
            version=version("strikelock"),
            identity=daemon.party.identity,
            url=daemon.party.agreement.url,
            now=int(daemon.party.clock.now()),
            open=len(daemon.driver.reports),
            look=daemon.driver.pulse.ticks,
            live=health.live,
            ready=health.ready,
            checks=tuple(Check(name=c.name, well=c.well, detail=c.detail) for c in health.checks),
            coins=await daemon.coins.learn(held, daemon.driver.live),
        )
