"""What was measured on what."""

from __future__ import annotations

import os
import platform
import sysconfig
from importlib import metadata
from pathlib import Path

import numpy as np

import options


def describe() -> dict[str, str | int | list[float]]:
    """Processor, compiler, kernel and versions."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "load": [round(x, 2) for x in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": str(sysconfig.get_config_var("CC")) + ", " + platform.python_compiler(),
        "kernel": options.kernel_name(),
        "kernels": ", ".join(options.backend.available()),
        "version": _version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    model = f"family {fields.get('cpu family')} model {fields.get('model')}"
    return f"{fields.get('model name', platform.machine())}, {model}"


def _version() -> str:
    try:
        return metadata.version("strikelock")
    except metadata.PackageNotFoundError:
        return "unknown"
