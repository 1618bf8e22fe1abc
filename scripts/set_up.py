"""Set-up of a clone: environment, npm tools and test nodes, everything inside the clone and without root.

Run by `make setup` with the system's Python (3.11 or later); needs nothing but its standard library. Each step
leaves a stamp, so that a second run does only what has changed.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from pathlib import Path

import debian
import nodes
from steps import Failure, Stamp, Task, fingerprint, say

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
UV = "uv>=0.8"


def main() -> int:
    """Run every step; the exit status is 0 even if a node can't be had, which is named."""
    started = time.monotonic()
    try:
        check_machine()
        uv = get_uv()
        create_environment(uv)
        install_project(uv)
        no_anvil = install_npm_tools()
    except Failure as failure:
        say(f"set-up stopped: {failure}")
        return 1
    missing = nodes.bring_all(ROOT)
    if no_anvil and not nodes.provided("anvil"):
        missing["anvil"] = no_anvil
    for name, reason in missing.items():
        say(f"missing node: {name}: {reason}; put it on PATH or set {nodes.variable(name)}")
    say(f"set-up done in {time.monotonic() - started:.1f} s: .venv/bin/strikelock")
    return 0


def check_machine() -> None:
    """Name what is missing on this machine, in one line."""
    if sys.version_info < (3, 11):
        raise Failure("Python 3.11 or later is needed: apt install python3")
    packages = {"gcc": "gcc libc6-dev", "node": "nodejs", "npm": "npm"}
    lacking = [packages[tool] for tool in packages if not shutil.which(tool)]
    if not Path("/usr/include/stdlib.h").exists() and "gcc libc6-dev" not in lacking:
        lacking.append("libc6-dev")
    if lacking:
        raise Failure(f"tools are missing; install them with: apt install {' '.join(lacking)}")


def task(name: str) -> Task:
    """A task that logs into .tools/log."""
    return Task(name, TOOLS / "log")


def stamp(name: str) -> Stamp:
    """The stamp of a step."""
    return Stamp(TOOLS / "stamps" / name)


def get_uv() -> str:
    """The path of uv: the one on PATH, else one of our own in .tools/uv."""
    if found := shutil.which("uv"):
        return found
    own = TOOLS / "uv" / "bin" / "uv"
    if own.exists():
        return str(own)
    say("[uv] not on PATH: installing it into .tools/uv")
    step = task("uv")
    pip = _pip(step)
    step.run(*pip, "install", "-q", "--disable-pip-version-check", "--target", str(TOOLS / "uv"), UV)
    if not own.exists():
        raise Failure("uv could not be installed; install it and put it on PATH")
    return str(own)


def _pip(step: Task) -> list[str]:
    """A way to run pip: the system's, else the wheel in Debian's python3-pip-whl, unpacked."""
    try:
        step.output(sys.executable, "-m", "pip", "--version")
    except Failure:
        pass
    else:
        return [sys.executable, "-m", "pip"]
    folder = TOOLS / "pip"
    wheels = "usr/share/python-wheels/pip-*.whl"
    if not list(folder.glob(wheels)):
        try:
            with debian.open_releases(step, TOOLS / "apt") as releases:
                releases.get(debian.codename()).unpack(step, ["python3-pip-whl"], folder)
        except Failure as failure:
            raise Failure(
                f"neither uv nor pip is here; install one: apt install python3-pip ({failure})"
            ) from failure
    # A wheel is a zip file: Python runs the package inside it.
    return [sys.executable, str(next(folder.glob(wheels)) / "pip")]


def create_environment(uv: str) -> None:
    """Create .venv and install every pinned dependency into it."""
    lock = ROOT / "requirements.lock"
    key = fingerprint(lock, sys.version)
    mark = stamp("environment")
    if mark.fresh(key) and (VENV / "bin" / "python").exists():
        return
    step = task("environment")
    if not (VENV / "bin" / "python").exists():
        say("[python] creating .venv")
        step.run(uv, "venv", "-q", "--clear", "--no-project", "--python", sys.executable, str(VENV))
    say("[python] installing the packages of requirements.lock")
    step.run(uv, "pip", "sync", "--require-hashes", "--python", str(VENV), str(lock))
    stamp("project").path.unlink(missing_ok=True)  # the synchronisation removes the project itself
    mark.write(key)


def install_project(uv: str) -> None:
    """Install the project as editable; this compiles its Cython modules."""
    sources = [path for kind in ("*.pyx", "*.pxd") for path in sorted((ROOT / "options").rglob(kind))]
    build = [path for path in (ROOT / "pyproject.toml", ROOT / "setup.py") if path.exists()]
    key = fingerprint(*build, *sources)
    mark = stamp("project")
    if mark.fresh(key) and (VENV / "bin" / "strikelock").exists():
        return
    say("[project] installing Strikelock and compiling its extension modules")
    step = Task("project", TOOLS / "log", _headers())
    # The build tools are in the lock: no isolated build environment with versions nobody pinned.
    options = ("--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat")
    step.run(uv, "pip", "install", "-q", "--python", str(VENV), *options, "-e", str(ROOT))
    mark.write(key)


def _headers() -> dict[str, str]:
    """Environment in which a C compiler finds Python.h; unpacks Debian's headers if the machine has none."""
    if (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return {}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = TOOLS / "python-headers"
    include = folder / "usr" / "include"
    if not (include / f"python{version}" / "Python.h").exists():
        say(f"[project] Python.h is not here: unpacking libpython{version}-dev into .tools")
        step = task("headers")
        try:
            with debian.open_releases(step, TOOLS / "apt") as releases:
                releases.get(debian.codename()).unpack(step, [f"libpython{version}-dev"], folder)
        except Failure as failure:
            raise Failure(f"Python.h is missing: apt install python{version}-dev ({failure})") from failure
    paths = [str(include / f"python{version}"), str(include), os.environ.get("C_INCLUDE_PATH", "")]
    return {"C_INCLUDE_PATH": ":".join(path for path in paths if path)}


def install_npm_tools() -> str | None:
    """Install anvil, forge and solc from npm as the lock file pins them; returns why anvil can't be had."""
    binary = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    key = fingerprint(ROOT / "package.json", ROOT / "package-lock.json")
    mark = stamp("npm")
    if not (mark.fresh(key) and binary.exists()):
        say("[npm] installing anvil, forge and solc")
        # Install scripts stay off: none is needed. --force lets a machine without a pinned build have solc.
        force = () if nodes.PINNED_MACHINE else ("--force",)
        try:
            task("npm").run("npm", "ci", "--ignore-scripts", "--no-progress", *force, cwd=ROOT)
        except Failure as failure:
            return str(failure)
        mark.write(key)
    return None if nodes.PINNED_MACHINE else "npm has a pinned build for Linux on x86-64 only"


if __name__ == "__main__":
    sys.exit(main())
