"""Settings that hold for every test."""

from __future__ import annotations

import os
import socket
import sys

import pytest
from hypothesis import HealthCheck, settings

# CI must not fail by chance: the same examples each time, and no verdict on a busy machine's speed.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("dev", deadline=None, max_examples=50, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

RECURSION_LIMIT = sys.getrecursionlimit()


def pytest_collection_finish() -> None:
    """Test modules import libraries that raise the recursion limit; what is tested must do without that."""
    sys.setrecursionlimit(RECURSION_LIMIT)


# What takes longest, in this order: it begins first, so that no process is left with it in the end.
LONGEST = (
    "test_forge",
    "parties_die_at_every_step",
    "deals_end_as_their_parties_will",
    "the_world_moves_under_a_deal",
)
STAGES = ("season", "show")  # fixtures of a module, by parameter


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="play every case of every matrix, which takes hours")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs where, when tests run in several processes: a file stays in one, for its nodes and caches.
    Scenarios are long, so each goes where there is room; those that share a stage stay together, and so does what
    compiles contracts."""
    if not config.getoption("--nightly"):
        left_out = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left_out)
    items.sort(key=_rank)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _rank(item: pytest.Item) -> int:
    """Its place among all tests; those of one rank stay as they were collected."""
    if item.path.stem in LONGEST:
        return LONGEST.index(item.path.stem)
    return len(LONGEST) + (item.path.parent.name != "scenario")


def _group(item: pytest.Item) -> str:
    if item.path.parent.name == "contracts":
        return "contracts"
    if item.path.parent.name != "scenario":
        return str(item.path)
    parameters = getattr(item, "callspec", None)
    shared = [str(parameters.params[name]) for name in STAGES if parameters and name in parameters.params]
    return f"{item.path.stem} {shared[0]}" if shared else item.nodeid


LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test talks to anything but this machine: a look-up of another name is an error."""
    resolve = socket.getaddrinfo

    def guarded(host, *args, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in LOOPBACK and not name.endswith((".localhost", ".invalid")):
            raise AssertionError(f"a test looks up {name!r}: tests use loopback only")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
