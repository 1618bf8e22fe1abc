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
