"""The C roofline: built with this machine's compiler and run beside the rows."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

_SOURCE = Path(__file__).parents[2] / "benchmarks" / "roofline.c"
_HEADERS = Path(__file__).parents[1] / "native"
_FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno")


def measure_roofline() -> tuple[dict[str, float], str | None]:
    """Its figures by name; or none, and the reason."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return {}, "no C compiler"
    if not _SOURCE.exists():
        return {}, "not run from a source tree"
    with tempfile.TemporaryDirectory(prefix="strikelock-roofline-") as folder:
        program = str(Path(folder) / "roofline")
        command = [compiler, *_FLAGS, f"-I{_HEADERS}", str(_SOURCE), "-lm", "-o", program]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603
            done = subprocess.run([program], check=True, capture_output=True, timeout=120)  # noqa: S603
        except (subprocess.SubprocessError, OSError) as error:
            return {}, f"it does not build or run: {error}"
    return {name: float(value) for name, value in json.loads(done.stdout).items()}, None
