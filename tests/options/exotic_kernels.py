"""A test module that imports `exotic_kernel` runs twice: on the best kernel of this machine, and on the twin."""

from __future__ import annotations

import pytest

from options._kernels import kernels
from options.exotics import normal


@pytest.fixture(scope="module", autouse=True, params=sorted({kernels()[0], "python"}))
def exotic_kernel(request):
    yield normal.use_kernel(request.param)
    normal.use_kernel(None)
