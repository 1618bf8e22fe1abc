"""Brings the test nodes into .nodes/: unpacked Debian packages behind small wrapper scripts.

A program on PATH, or one named by an environment variable (STRIKELOCK_BITCOIND and so on), always wins.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import debian
from steps import Failure, Stamp, Task, fingerprint, say

# The binaries that package.json names; Debian's node is too old to be offered them as optional packages.
PINNED_MACHINE = platform.system() == "Linux" and platform.machine() == "x86_64"

LAYOUT = "2"  # raise it when the folders or wrappers below change

# The loader and C library of the package's own release: it runs on a machine with an older one.
OWN_LOADER = """#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")/{name}
exec "$here/{loader}" --library-path "{path}" --argv0 "$0" "$here/{program}" "$@"
"""

# Same release as the machine: its loader will do, only the libraries are elsewhere.
SYSTEM_LOADER = """#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")/{name}
{environment}LD_LIBRARY_PATH="{path}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}" exec "$here/{program}" "$@"
"""

FONTS = ("fonts-dejavu-core",)
FONT_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


def bring_all(root: Path) -> dict[str, str]:
    """Bring every node that the machine lacks; returns those that can't be had, each with its reason."""
    step = Task("nodes", root / ".tools" / "log")
    missing: dict[str, str] = {}
    with debian.open_releases(step, root / ".nodes" / "apt") as releases:
        for name, bring in NODES.items():
            folder = root / ".nodes" / name
            mark = Stamp(folder / "stamp")
            key = fingerprint(LAYOUT, name, str(folder))
            if provided(name) or mark.fresh(key):
                continue
            say(f"[nodes] {name}: unpacking into .nodes/{name}")
            try:
                shutil.rmtree(folder, ignore_errors=True)
                bring(step, releases, root / ".nodes")
            except Failure as failure:
                (root / ".nodes" / "bin" / name).unlink(missing_ok=True)
                missing[name] = str(failure)
            else:
                mark.write(key)
    return missing


def provided(name: str) -> bool:
    """Whether the machine or the configuration provides the program."""
    if name == "postgres" and list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return True
    return variable(name) in os.environ or shutil.which(name) is not None


def variable(name: str) -> str:
    """The environment variable that names a program."""
    return f"STRIKELOCK_{name.upper()}"


def bring_bitcoind(step: Task, releases: debian.Releases, into: Path) -> None:
    """Bitcoin Knots, a Bitcoin node, from the backports suite of the release after this machine's."""
    base = debian.NEXT_RELEASE.get(debian.codename(), debian.codename())
    release = releases.get(base, f"{base}-backports")
    folder = into / "bitcoind"
    packages = release.libraries(step, "bitcoin-knots", libc=True)
    release.unpack(step, packages, folder)
    loader = next(iter(sorted(folder.glob("usr/lib/*/ld-linux*.so.*"))), None)
    if loader is None:
        raise Failure("the package's C library has no loader")
    wrap(into, "bitcoind", "usr/bin/bitcoind", loader=loader)
    step.run(str(into / "bin" / "bitcoind"), "--version")


def bring_litecoind(step: Task, releases: debian.Releases, into: Path) -> None:
    """Litecoin Core from this machine's own release."""
    release = releases.get(debian.codename())
    release.unpack(step, release.libraries(step, "litecoind", libc=False), into / "litecoind")
    # /usr/bin/litecoind is a script that picks one of several builds by an absolute path
    wrap(into, "litecoind", "usr/lib/litecoin/litecoind")
    step.run(str(into / "bin" / "litecoind"), "--version")


def bring_postgres(step: Task, releases: debian.Releases, into: Path) -> None:
    """PostgreSQL from this machine's own release: server and initdb."""
    release = releases.get(debian.codename())
    server = release.dependency(step, "postgresql", r"postgresql-\d+")
    version = server.rpartition("-")[2]
    packages = {*release.libraries(step, server, libc=False), f"postgresql-client-{version}"}
    release.unpack(step, sorted(packages), into / "postgres")
    for program in ("postgres", "initdb", "pg_ctl", "psql"):
        wrap(into, "postgres", f"usr/lib/postgresql/{version}/bin/{program}")
    step.run(str(into / "bin" / "initdb"), "--version")


def bring_prometheus(step: Task, releases: debian.Releases, into: Path) -> None:
    """Prometheus, and its checker of rules and metrics; they need no library."""
    releases.get(debian.codename()).unpack(step, ["prometheus"], into / "prometheus")
    for program in ("prometheus", "promtool"):
        wrap(into, "prometheus", f"usr/bin/{program}")
    step.run(str(into / "bin" / "promtool"), "--version")


def bring_chromium(step: Task, releases: debian.Releases, into: Path) -> None:
    """Chromium with its libraries, one font, and where to find it: the browser in which the page is tested."""
    release = releases.get(debian.codename())
    folder = into / "chromium"
    libraries = release.libraries(step, "chromium", libc=False)
    release.unpack(step, [*libraries, "chromium-common", *FONTS], folder)
    # The font's folder, and a cache of its own: the machine may have neither fonts nor a home.
    config = FONT_CONFIG.format(fonts=folder / "usr/share/fonts", cache=folder / "font-cache")
    (folder / "fonts.conf").write_text(config)
    wrap(into, "chromium", "usr/lib/chromium/chromium", environment='FONTCONFIG_FILE="$here/fonts.conf" ')
    step.run(str(into / "bin" / "chromium"), "--version")


def wrap(into: Path, name: str, program: str, loader: Path | None = None, environment: str = "") -> None:
    """Write the script .nodes/bin/PROGRAM that runs `program` with the libraries unpacked beside it."""
    folder = into / name
    found = {path.parent.relative_to(folder) for path in folder.glob("**/lib/*-linux-gnu*/**/lib*.so*")}
    holders = sorted(holder for holder in found if "share" not in holder.parts)
    path = ":".join(f"$here/{holder}" for holder in holders)
    template = OWN_LOADER if loader else SYSTEM_LOADER
    text = template.format(
        name=name,
        program=program,
        path=path,
        environment=environment,
        loader=loader.relative_to(folder) if loader else "",
    )
    script = into / "bin" / Path(program).name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text)
    script.chmod(0o755)


Bring = Callable[[Task, debian.Releases, Path], None]

NODES: dict[str, Bring] = {
    "bitcoind": bring_bitcoind,
    "litecoind": bring_litecoind,
    "postgres": bring_postgres,
    "prometheus": bring_prometheus,
    "chromium": bring_chromium,
}
