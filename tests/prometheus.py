"""A real Prometheus that scrapes parties and judges our alert rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from chains.testing.errors import NodeError
from chains.testing.locate import find
from chains.testing.processes import NodeProcess

RULES = Path(__file__).parent.parent / "configs" / "prometheus-rules.yml"

OURS = ("__name__", "instance", "job")  # labels that Prometheus gives

CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: strikelock
    static_configs: [{{targets: {targets}}}]
"""


class Prometheus(NodeProcess):
    """Scrapes `targets` (address and port) every second, as docs/operating.md says."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.program = find("prometheus")
        self.targets = list(targets)
        super().__init__("prometheus")

    def command(self) -> Sequence[str]:
        return [
            str(self.program),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    async def prepare(self) -> None:
        (self.folder / "prometheus.yml").write_text(CONFIG.format(rules=RULES, targets=self.targets))

    async def ready(self) -> bool:
        try:
            await self.get("/-/ready", text=True)
        except (aiohttp.ClientError, TimeoutError, NodeError):
            return False
        return True

    async def get(self, path: str, text: bool = False, **query: str) -> Any:
        limit = aiohttp.ClientTimeout(total=5)
        async with (
            aiohttp.ClientSession(timeout=limit, raise_for_status=True) as session,
            session.get(f"http://127.0.0.1:{self.port}{path}", params=query) as response,
        ):
            return await (response.text() if text else response.json())

    async def values(self, query: str) -> Mapping[tuple[str, ...], float]:
        """The newest value of each series that a query gives, by the values of its labels but job and instance."""
        found = await self.get("/api/v1/query", query=query)
        return {_labels(row["metric"]): float(row["value"][1]) for row in found["data"]["result"]}

    async def alerts(self) -> set[str]:
        """Names of the alerts whose condition holds, however long it has."""
        return {alert["labels"]["alertname"] for alert in (await self.get("/api/v1/alerts"))["data"]["alerts"]}


def _labels(metric: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for name, value in sorted(metric.items()) if name not in OURS)
