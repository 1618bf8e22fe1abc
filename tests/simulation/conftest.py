"""A stage listens to every log line; afterwards logs go where they went before."""

from __future__ import annotations

import pytest
import structlog


@pytest.fixture(autouse=True, scope="module")
def logs():
    before = structlog.get_config()
    yield
    structlog.configure(**before)
