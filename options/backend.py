"""Which implementation of the pricing core runs: a build of the kernel, or the pure-Python twin."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from options.errors import KernelUnavailableError

VARIABLE = "STRIKELOCK_OPTIONS"


def available() -> tuple[str, ...]:
    """Every implementation that runs here, the best first; "python" is always the last."""
    try:
        native = import_module("options._native")
    except ImportError:
        return ("python",)
    return (*native.kernel_names(), "python")


def load(name: str) -> ModuleType:
    """The module with the pricing functions of that name; a kernel's build is switched to, process-wide.

    Raises KernelUnavailableError for a name that is unknown, not built, or not for this processor.
    """
    here = available()
    if name == "python" or (name == "auto" and here == ("python",)):
        return import_module("options.twin")
    if name not in ("auto", *here):
        raise KernelUnavailableError(name, here)
    native = import_module("options._native")
    native.use_kernel(name)
    return native


def chosen() -> ModuleType:
    """The implementation the environment asks for."""
    return load(os.environ.get(VARIABLE) or "auto")
