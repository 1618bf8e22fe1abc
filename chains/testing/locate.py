"""Finding the programs of the nodes: configuration first, then PATH, then what the set-up brought."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from chains.testing.errors import NodeMissing

# The clone this package is imported from; an installed package has no such folders, and then they don't exist.
ROOT = Path(__file__).resolve().parent.parent.parent

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def variable(program: str) -> str:
    """The environment variable that names a program, for example STRIKELOCK_BITCOIND."""
    return f"STRIKELOCK_{program.upper().replace('-', '_')}"


def find(program: str) -> Path:
    """The path of `program`; raises `NodeMissing` if there is none.

    A program that is configured is taken as it is: a wrong path is an error, not a reason to look elsewhere.
    """
    name = variable(program)
    if configured := os.environ.get(name):
        path = Path(configured).expanduser()
        if not os.access(path, os.X_OK):
            raise NodeMissing(program, f"{name} (it names {path}, which can't be run)")
        return path
    if on_path := shutil.which(program):
        return Path(on_path)
    for path in _brought(program):
        if os.access(path, os.X_OK):
            return path
    raise NodeMissing(program, name)


def nodes_folder() -> Path:
    """Where node data of this clone is kept: STRIKELOCK_NODES, else .nodes in the clone, else a user cache."""
    if configured := os.environ.get("STRIKELOCK_NODES"):
        return Path(configured).expanduser()
    if (ROOT / "pyproject.toml").exists():
        return ROOT / ".nodes"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "strikelock" / "nodes"


def _brought(program: str) -> list[Path]:
    """Where the set-up leaves programs, and where Debian keeps those of PostgreSQL (newest first)."""
    machine = MACHINES.get(platform.machine(), platform.machine())
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    newest_first = sorted(debian, key=lambda path: float(path.parent.parent.name), reverse=True)
    return [
        ROOT / ".nodes" / "bin" / program,
        ROOT / "node_modules" / "@foundry-rs" / f"{program}-linux-{machine}" / "bin" / program,
        *newest_first,
    ]
