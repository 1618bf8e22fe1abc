"""Which build of the kernel of `options._paths` runs: paths and the normal distribution; or their Python twins."""

import os
from importlib import import_module
from types import ModuleType

from options.backend import VARIABLE
from options.errors import KernelUnavailableError


def kernels() -> tuple[str, ...]:
    """Every build that runs here, the best first; "python" is always the last."""
    try:
        native = import_module("options._paths")
    except ImportError:
        return ("python",)
    return (*native.kernel_names(), "python")


def chosen(kernel: str | None = None) -> str:
    """The build that a name stands for; None asks the environment, as for every pricing function."""
    name = kernel or os.environ.get(VARIABLE) or "auto"
    here = kernels()
    if name == "auto":
        return here[0]
    if name not in here:
        raise KernelUnavailableError(name, here)
    return name


def find(kernel: str | None) -> tuple[ModuleType, str]:
    """The module with the path functions of a build, and the build's name."""
    name = chosen(kernel)
    return import_module("options.montecarlo.twin" if name == "python" else "options._paths"), name
