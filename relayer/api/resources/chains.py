"""/v1/chains, /v1/fees and /v1/accounts: what stands behind the deals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayer.api import models, views
from relayer.api.asks import PageQuery
from relayer.api.errors import NoSuchChain
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.dashboard.coins import coin_key
from relayer.health import judge
from relayer.settings import FeeSettings

if TYPE_CHECKING:
    from relayer.daemon import Daemon, Prices

ByChain = Call[NoQuery, None]


class Chains:
    """As they were seen last."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._party = daemon.party
        self._driver = daemon.driver

    def operations(self) -> tuple[AnyOperation, ...]:
        missing = (NoSuchChain,)
        chains, chain = models.ChainPage, models.Chain
        fees, accounts = models.FeePage, models.AccountPage
        read = Scope.READ
        return (
            Operation("GET", "/v1/chains", "listChains", "List chains.", read, chains, self.all, query=PageQuery),
            Operation(
                "GET", "/v1/chains/{chain}", "showChain", "Show a chain.", read, chain, self.one, problems=missing
            ),
            Operation(
                "GET", "/v1/fees", "listFees", "List fees by chain.", read, fees, self.fees, query=PageQuery
            ),
            Operation(
                "GET",
                "/v1/fees/{chain}",
                "showFees",
                "Show the fees on a chain.",
                read,
                models.Fees,
                self.fee,
                problems=missing,
            ),
            Operation(
                "GET",
                "/v1/accounts",
                "listAccounts",
                "List our wallets and what they hold.",
                read,
                accounts,
                self.accounts,
                query=PageQuery,
            ),
            Operation(
                "GET",
                "/v1/accounts/{chain}",
                "showAccount",
                "Show our wallet on a chain.",
                read,
                models.Account,
                self.account,
                problems=missing,
            ),
        )

    async def all(self, call: Call[PageQuery, None]) -> models.ChainPage:
        shown, place = views.piece(sorted(self._party.chains), call.query.first, call.query.limit)
        return models.ChainPage(chains=tuple(self._chains(set(shown))), **place)

    async def one(self, call: ByChain) -> models.Chain:
        (found,) = self._chains({self._known(call)})
        return found

    def _known(self, call: ByChain) -> str:
        name = call.params["chain"]
        if name not in self._party.chains:
            raise NoSuchChain(name)
        return name

    def _chains(self, wanted: set[str]) -> Iterator[models.Chain]:
        vitals = self._daemon.vitals()
        checks = {check.name: check for check in judge(vitals).checks}
        for name in sorted(wanted):
            chain, seen, check = (
                self._party.chains[name],
                self._driver.snapshots.get(name),
                checks[f"chain {name}"],
            )
            timing = chain.timing
            yield models.Chain(
                name=name,
                family=chain.family,
                identity=chain.identity,
                well=check.well,
                detail=check.detail,
                height=seen.tip.height if seen else None,
                hash=seen.tip.hash if seen else None,
                age=vitals.chains[name].age,
                clock=seen.tip.time if seen else None,
                pending=sum(1 for _ in self._flying(name)),
                timing=models.Timing(
                    process=timing.process.value,
                    interval=timing.interval,
                    inclusion=timing.inclusion,
                    depth=timing.depth,
                    median_span=timing.median_span,
                    clock_error=timing.clock_error,
                    stale_after=timing.stale_after,
                ),
            )

    def _flying(self, chain: str) -> Iterator[int]:
        """The most that each transaction of ours which is not final may cost."""
        for report in self._driver.reports.values():
            for attempt in report.observation.attempts.all:
                if attempt.tx.chain == chain and attempt.intent.final is None:
                    yield attempt.tx.fee

    # --- fees --------------------------------------------------------------------------------------------

    async def fees(self, call: Call[PageQuery, None]) -> models.FeePage:
        shown, place = views.piece(sorted(self._party.chains), call.query.first, call.query.limit)
        return models.FeePage(fees=tuple(self._fees(name) for name in shown), **place)

    async def fee(self, call: ByChain) -> models.Fees:
        return self._fees(self._known(call))

    def _fees(self, name: str) -> models.Fees:
        limits = self._party.settings.fees.get(name, FeeSettings())
        said = self._daemon.prices.get(name)
        return models.Fees(
            chain=name,
            unit=self._party.chains[name].price_unit,
            cap=str(limits.cap),
            share_permille=limits.share_permille,
            pending=str(sum(self._flying(name))),
            prices=None if said is None else _prices(said),
        )

    # --- accounts ----------------------------------------------------------------------------------------

    async def accounts(self, call: Call[PageQuery, None]) -> models.AccountPage:
        shown, place = views.piece(sorted(self._party.wallets), call.query.first, call.query.limit)
        return models.AccountPage(accounts=tuple([await self._account(name) for name in shown]), **place)

    async def account(self, call: ByChain) -> models.Account:
        return await self._account(self._known(call))

    async def _account(self, name: str) -> models.Account:
        held = self._daemon.held.get(name)
        coins = await self._daemon.coins.learn([(name, asset) for asset in held or ()], self._driver.live)
        balances = None
        if held is not None:
            balances = tuple(
                models.Balance(
                    coin=coin_key(name, asset),
                    asset=asset,
                    symbol=coins[coin_key(name, asset)].symbol,
                    decimals=coins[coin_key(name, asset)].decimals,
                    units=str(units),
                )
                for asset, units in held.items()
            )
        return models.Account(chain=name, address=self._party.wallets[name].address, balances=balances)


def _prices(said: Prices) -> models.Prices:
    estimate = said.estimate
    return models.Prices(
        height=said.height,
        economical=str(estimate.economical),
        urgent=str(estimate.urgent),
        floor=str(estimate.floor),
    )
