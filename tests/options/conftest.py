"""Every test that takes `core` runs on each build of the kernel this machine has, and on the Python twin."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from options import backend


@pytest.fixture(params=backend.available())
def core(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    yield backend.load(request.param)
    backend.load("auto")


@pytest.fixture
def is_twin(core: ModuleType) -> bool:
    return core.kernel_name() == "python"
