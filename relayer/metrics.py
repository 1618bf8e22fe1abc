"""Prometheus metrics, read off the daemon when they are asked for: there is no second book to keep true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from htlc.driver import Driver
from relayer.health import Vitals, judge

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PartyCollector(Collector):
    """What a party has to say of itself."""

    def __init__(self, driver: Driver, vitals: Callable[[], Vitals]) -> None:
        self._driver = driver
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        vitals = self._vitals()
        yield GaugeMetricFamily(
            "strikelock_deadline_margin_seconds",
            "Seconds to the deadline of the open deal that is nearest to one; +Inf where none is due.",
            value=min(vitals.margins.values(), default=float("inf")),
        )
        yield from self._deals()
        yield from _chains(vitals)
        yield from self._ticks(vitals)
        health = judge(vitals)
        yield GaugeMetricFamily("strikelock_ready", "1 while everything is as it must be.", value=health.ready)
        build = GaugeMetricFamily("strikelock_build_info", "The version that runs.", labels=["version"])
        build.add_metric([version("strikelock")], 1)
        yield build

    def _deals(self) -> Iterable[Metric]:
        reports = self._driver.reports.values()
        deals = GaugeMetricFamily("strikelock_deals", "Open deals.", labels=["protocol", "role"])
        kinds = Counter((r.observation.deal.terms.protocol, r.observation.deal.role) for r in reports)
        for (protocol, role), number in kinds.items():
            deals.add_metric([protocol, role], number)
        yield deals
        limited = sum(report.observation.deal.limited for report in reports)
        yield GaugeMetricFamily("strikelock_deals_limited", "Open deals of a restored database.", value=limited)
        troubled = sum(bool(report.troubles) for report in reports)
        yield GaugeMetricFamily(
            "strikelock_deals_troubled", "Deals whose next step can't be taken.", value=troubled
        )
        flying = GaugeMetricFamily("strikelock_transactions_pending", "Signed and not final.", labels=["chain"])
        chains = Counter(a.tx.chain for r in reports for a in r.observation.attempts.all if a.intent.final is None)
        for chain, number in chains.items():
            flying.add_metric([chain], number)
        yield flying

    def _ticks(self, vitals: Vitals) -> Iterable[Metric]:
        pulse = self._driver.pulse
        yield CounterMetricFamily("strikelock_ticks", "Looks at all deals.", value=pulse.ticks)
        yield CounterMetricFamily("strikelock_ticks_failed", "Looks that came to nothing.", value=pulse.failed)
        yield CounterMetricFamily("strikelock_tick_seconds", "What all looks took.", value=pulse.seconds)
        idle = float("inf") if vitals.idle is None else vitals.idle
        yield GaugeMetricFamily("strikelock_idle_seconds", "Since the last finished look.", value=idle)


def _chains(vitals: Vitals) -> Iterable[Metric]:
    up = GaugeMetricFamily("strikelock_chain_up", "1 while the chain is seen.", labels=["chain"])
    height = GaugeMetricFamily("strikelock_chain_height", "Height of the best block.", labels=["chain"])
    age = GaugeMetricFamily("strikelock_chain_age_seconds", "Age of the best block.", labels=["chain"])
    coin = GaugeMetricFamily("strikelock_coin", "What the wallet holds, native units.", labels=["chain"])
    low = GaugeMetricFamily("strikelock_coin_low", "What the wallet ought to hold.", labels=["chain"])
    for name, chain in vitals.chains.items():
        up.add_metric([name], chain.trouble is None)
        if chain.height is not None and chain.age is not None:
            height.add_metric([name], chain.height)
            age.add_metric([name], chain.age)
        if chain.coin is not None:
            coin.add_metric([name], chain.coin)
        low.add_metric([name], chain.low)
    return up, height, age, coin, low


class Metrics:
    """A registry of our own: nothing that other code of the process registers gets in."""

    def __init__(self, collector: Collector) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(collector)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
