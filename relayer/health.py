"""Whether a party is well: one pure judgement, for /live, /ready, `health-check`, metrics and the watchdog.

What it judges are `Vitals`, which the daemon reads off its driver and `health-check` off a look of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from htlc.driver import Report
from htlc.protocols.base import Fund, SpendLeg


@dataclass(frozen=True, slots=True)
class ChainVitals:
    """One chain as it was seen last. age: seconds since its best block's time stamp (None: never seen).
    trouble: why it can't be seen now. coin: what our wallet holds, native units (None: not known yet)."""

    height: int | None
    age: int | None
    stale_after: int
    trouble: str | None = None
    coin: int | None = None
    low: int = 0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What health is judged by. idle: seconds since the last finished tick (None: nothing ticks here). trouble:
    why the last tick came to nothing. margins: seconds to the nearest deadline of ours, by deal."""

    chains: Mapping[str, ChainVitals]
    idle: float | None = None
    stall: float = 0.0
    trouble: str | None = None
    margins: Mapping[str, int] = field(default_factory=dict)
    margin: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. vital: without it the process does not work at all, and should be restarted."""

    name: str
    well: bool
    detail: str
    vital: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """All checks. live: it works. ready: it works, and may be relied on."""

    checks: tuple[Check, ...]

    @property
    def live(self) -> bool:
        return all(check.well for check in self.checks if check.vital)

    @property
    def ready(self) -> bool:
        return all(check.well for check in self.checks)

    def document(self) -> dict[str, object]:
        """For programs."""
        checks = {check.name: {"ok": check.well, "detail": check.detail} for check in self.checks}
        return {"live": self.live, "ready": self.ready, "checks": checks}


def judge(vitals: Vitals) -> Health:
    """The judgement."""
    return Health(tuple(_checks(vitals)))


def margins(reports: Mapping[str, Report]) -> dict[str, int]:
    """Seconds that are left, by deal, for what the last plan wants mined by a deadline; others are left out."""
    found = {}
    for deal, report in reports.items():
        by = [a.deadline for a in report.actions if isinstance(a, Fund | SpendLeg) and a.deadline is not None]
        if by:
            found[deal] = min(by) - report.observation.now.latest
    return found


def _checks(vitals: Vitals) -> Iterator[Check]:
    if vitals.idle is not None:
        beating = vitals.idle <= vitals.stall
        yield Check("driver", beating, f"last look at the deals {vitals.idle:.1f} s ago", vital=True)
        yield Check("database", vitals.trouble is None, vitals.trouble or "answers")
    for name, chain in vitals.chains.items():
        yield _chain(name, chain)
        if chain.low:
            enough = chain.coin is not None and chain.coin >= chain.low
            held = "not known yet" if chain.coin is None else f"{chain.coin} held"
            yield Check(f"coin {name}", enough, f"{held}, {chain.low} wanted")
    if vitals.margins:
        deal, left = min(vitals.margins.items(), key=lambda item: item[1])
        yield Check("deadline", left >= vitals.margin, f"{left} s are left for deal {deal}")


def _chain(name: str, chain: ChainVitals) -> Check:
    if chain.trouble is not None:
        return Check(f"chain {name}", False, chain.trouble)
    if chain.age is None or chain.height is None:
        return Check(f"chain {name}", False, "it was not seen yet")
    detail = f"block {chain.height}, {chain.age} s old"
    return Check(f"chain {name}", chain.age <= chain.stale_after, detail)
