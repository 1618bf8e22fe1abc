"""One judgement of a party's health, and what is told to systemd and Prometheus."""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from chains.testing.locate import find
from relayer import notify, ops
from relayer.health import ChainVitals, Vitals, judge
from relayer.metrics import Metrics, PartyCollector

CONFIGS = Path(__file__).parent.parent.parent / "configs"
CHAIN = ChainVitals(height=100, age=10, stale_after=60, coin=500, low=100)
WELL = Vitals({"bitcoin": CHAIN}, idle=1.0, stall=30.0, margins={"deal": 600}, margin=60)


class Paused:
    """A driver between two ticks, with nothing to do."""

    class Pulse:
        ticks, failed, seconds = 7, 2, 0.5

    def __init__(self):
        self.reports, self.pulse = {}, self.Pulse()


def failing(vitals: Vitals) -> set[str]:
    return {check.name for check in judge(vitals).checks if not check.well}


def test_a_party_that_is_well():
    health = judge(WELL)
    assert health.live
    assert health.ready
    assert set(health.document()["checks"]) == {"driver", "database", "chain bitcoin", "coin bitcoin", "deadline"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"idle": 31.0}, "driver"),
        ({"trouble": "the disk is full"}, "database"),
        ({"margins": {"one": 600, "two": 59}}, "deadline"),
        ({"chains": {"bitcoin": replace(CHAIN, trouble="no answer")}}, "chain bitcoin"),
        ({"chains": {"bitcoin": replace(CHAIN, age=61)}}, "chain bitcoin"),
        ({"chains": {"bitcoin": replace(CHAIN, height=None, age=None)}}, "chain bitcoin"),
        ({"chains": {"bitcoin": replace(CHAIN, coin=99)}}, "coin bitcoin"),
        ({"chains": {"bitcoin": replace(CHAIN, coin=None)}}, "coin bitcoin"),
    ],
)
def test_one_thing_wrong_is_named_and_ready_is_false(change, wrong):
    vitals = replace(WELL, **change)
    assert failing(vitals) == {wrong}
    assert not judge(vitals).ready
    assert judge(vitals).live == (wrong != "driver")


def test_a_look_from_outside_judges_the_chains_alone():
    assert set(judge(Vitals({"bitcoin": CHAIN})).document()["checks"]) == {"chain bitcoin", "coin bitcoin"}


# --- over HTTP and for Prometheus


@pytest.fixture
async def client():
    vitals = [WELL]
    metrics = Metrics(PartyCollector(Paused(), lambda: vitals[0]))
    app = ops.application(lambda: judge(vitals[0]), metrics)
    async with TestClient(TestServer(app)) as client:
        client.vitals = vitals
        yield client


async def test_ready_turns_false_and_true_again(client):
    assert (await client.get("/ready")).status == 200
    client.vitals[0] = replace(WELL, trouble="the database is gone")
    answer = await client.get("/ready")
    assert answer.status == 503
    assert (await answer.json())["checks"]["database"] == {"ok": False, "detail": "the database is gone"}
    assert (await client.get("/live")).status == 200
    client.vitals[0] = WELL
    assert (await client.get("/ready")).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:1", "10.0.0.1"]
)
async def test_other_hosts_are_refused(client, host):
    for path in ("/live", "/ready", "/metrics"):
        assert (await client.get(path, headers={"Host": host})).status == 403


def samples(text: str) -> dict[str, float]:
    return {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}


def promtool(*words: str, **options) -> None:
    """Prometheus' own checker finds nothing."""
    done = subprocess.run(
        [find("promtool"), "check", *words], capture_output=True, text=True, timeout=30, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_prometheus_takes_the_metrics(client):
    text = await (await client.get("/metrics")).text()
    found = {
        sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }
    assert found["strikelock_deadline_margin_seconds"] == 600
    assert found["strikelock_ticks_failed_total"] == 2
    assert found["strikelock_coin"] == 500
    await asyncio.to_thread(promtool, "metrics", input=text)
    client.vitals[0] = replace(WELL, margins={})
    text = await (await client.get("/metrics")).text()
    found = {
        sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }
    assert found["strikelock_deadline_margin_seconds"] == math.inf


def test_prometheus_takes_the_rules():
    promtool("rules", str(CONFIGS / "prometheus-rules.yml"))


async def test_rules_and_dashboard_name_metrics_that_there_are(client):
    text = await (await client.get("/metrics")).text()
    known = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    dashboard = json.loads((CONFIGS / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    wanted = "\n".join([(CONFIGS / "prometheus-rules.yml").read_text(), *queries])
    names = {
        word.removesuffix("_total") for word in _words(wanted) if word.startswith(("strikelock_", "process_"))
    }
    assert names
    assert names <= {name.removesuffix("_total") for name in known}


def test_each_alert_says_what_to_do_in_the_documentation():
    headings = re.findall(r"^## (\w+)$", (CONFIGS.parent / "docs" / "alerts.md").read_text(), re.MULTILINE)
    rules = (CONFIGS / "prometheus-rules.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert sorted(headings) == sorted(alerts), "a paragraph for each alert, and none without one"
    runbooks = re.findall(r"runbook: docs/alerts.md#(\w+)", rules)
    assert runbooks == [alert.lower() for alert in alerts]


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


# --- systemd


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def test_systemd_is_told(supervisor):
    notify.notify(notify.READY, notify.status("two\nlines"))
    assert supervisor.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_nobody_is_told_where_nobody_listens(monkeypatch, tmp_path):
    for name in ("", "nonsense", str(tmp_path / "missing"), "@strikelock-missing"):
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify.notify(notify.READY)


@pytest.mark.parametrize(
    ("limit", "pid", "seconds"),
    [("30000000", "", 30.0), ("30000000", "1", None), ("0", "", None), ("", "", None), ("x", "", None)],
)
def test_the_watchdogs_limit(monkeypatch, limit, pid, seconds):
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert notify.watchdog_seconds() == seconds


def test_systemd_takes_the_unit(tmp_path):
    """Where systemd is there to ask; programs of other machines are stood in for."""
    try:
        text = (CONFIGS / "strikelock.service").read_text().replace("/opt/strikelock/bin/strikelock", "/bin/true")
        (tmp_path / "strikelock.service").write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / "strikelock.service"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not here")
    ours = [line for line in done.stderr.splitlines() if "strikelock.service" in line]
    assert not ours, ours
