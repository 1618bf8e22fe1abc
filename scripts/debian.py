"""Debian packages unpacked into a folder: no root, nothing installed, signatures checked.

Each `Release` keeps apt's state (source list, package lists, cache) in a folder of its own, so that it works
for any user and whatever state the machine's lists are in. The mirror is the one the machine's own apt
configuration names; so are proxies and credentials, because only the locations of apt's state are replaced.
"""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steps import Failure, Task, say

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# The release whose backports hold what this machine's own release lacks.
NEXT_RELEASE = {"bookworm": "trixie"}

# Shared libraries only: what else a package depends on (init system, debconf, users) a test node does without.
LIBRARY = re.compile(r"^(lib|zlib1g)")
# Compilers for a database's just-in-time queries: 150 MB that no test needs.
NOT_WANTED = re.compile(r"^lib(llvm|clang|z3)")

# Indexes that some machines fetch besides the package lists.
EXTRA_INDEXES = tuple(
    f"Acquire::IndexTargets::deb::{name}"
    for name in ("DEP-11", "DEP-11-icons-small", "DEP-11-icons", "DEP-11-icons-large", "Contents-deb")
)


def codename() -> str:
    """This machine's Debian release, for example `bookworm`."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    name = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not name:
        raise Failure("this machine is not a Debian release")
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Failure("apt-get and dpkg are not on PATH")
    return name


def mirrors(task: Task, suite: str) -> list[str]:
    """Addresses of the archives that the machine's apt configuration gives for `suite`, likeliest first."""
    with tempfile.TemporaryDirectory() as lists:
        (Path(lists) / "partial").mkdir()
        # With empty lists apt names every index it would fetch, whatever the format of the source files.
        output = task.output("apt-get", "-o", f"Dir::State::Lists={lists}", "--print-uris", "update")
    found = re.findall(r"^'(\S+)/dists/(\S+?)/InRelease'", output, re.MULTILINE)
    bases = list(dict.fromkeys(base for base, name in found if name == suite))
    # Other publishers also name their suites after the release; only Debian's archive has the -updates suite.
    return sorted(bases, key=lambda base: (base, f"{suite}-updates") not in found)


@dataclass(frozen=True)
class Release:
    """One suite of the archive, or several, with apt state of their own in `folder`."""

    folder: Path
    suites: tuple[str, ...]

    def options(self) -> list[str]:
        """Options that make apt use this release's state only."""
        return ["-c", str(self.folder / "apt.conf")]

    def update(self, task: Task, base: str) -> None:
        """Fetch the package lists from the mirror `base`; apt refuses them unless Debian's keys signed them."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        lines = [f"deb {signed}{base}/ {suite} main\n" for suite in self.suites]
        (self.folder / "sources.list").write_text("".join(lines))
        (self.folder / "apt.conf").write_text(self._configuration())
        task.run("apt-get", *self.options(), "-q", "--error-on=any", "update")

    def _configuration(self) -> str:
        settings = {
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::Status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            # apt's own user can't enter a private home; these files are ours, not the system's.
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::GzipIndexes": "false",
            "Acquire::Retries": "3",
        }
        hooks = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success")
        lines = [f"#clear {hook};" for hook in (*hooks, *EXTRA_INDEXES)]
        return "\n".join([*lines, *(f'{key} "{value}";' for key, value in settings.items()), ""])

    def libraries(self, task: Task, package: str, *, libc: bool) -> list[str]:
        """`package` and the shared libraries it needs, directly or not; with the C library if `libc`."""
        wanted, level = {package}, {package}
        while level:
            output = task.output("apt-cache", *self.options(), "show", "--no-all-versions", *sorted(level))
            level = set(_dependencies(output)) - wanted
            wanted |= level
        return sorted(name for name in wanted if libc or name != "libc6")

    def dependency(self, task: Task, package: str, pattern: str) -> str:
        """The package matching `pattern` that `package`, which may be a metapackage, depends on."""
        output = task.output("apt-cache", *self.options(), "show", "--no-all-versions", package)
        found = re.search(rf"^Depends:.*?\b({pattern})\b", output, re.MULTILINE)
        if not found:
            raise Failure(f"{package} depends on no {pattern}")
        return found[1]

    def unpack(self, task: Task, packages: Iterable[str], into: Path) -> None:
        """Download the packages (apt checks their hashes) and unpack them into the folder `into`."""
        names = list(packages)
        archives = self.folder / "cache" / "archives"
        task.run("apt-get", *self.options(), "-q", "download", *names, cwd=archives)
        for name in names:
            for archive in archives.glob(f"{name}_*.deb"):
                task.run("dpkg", "-x", str(archive), str(into))


def _dependencies(records: str) -> Iterator[str]:
    """The first alternative of each library in the Depends fields of `apt-cache show` records."""
    for field in re.findall(r"^(?:Pre-)?Depends: (.*)$", records, re.MULTILINE):
        for clause in field.split(","):
            name = re.split(r"[\s(:|]", clause.strip(), maxsplit=1)[0]
            if LIBRARY.match(name) and not NOT_WANTED.match(name):
                yield name


class Releases:
    """The releases that one run of the set-up opened; their package lists are fetched once, when first needed."""

    def __init__(self, task: Task, folder: Path) -> None:
        self._task = task
        self._folder = folder
        self._open: dict[tuple[str, ...], Release] = {}

    def get(self, *suites: str) -> Release:
        """A release with fetched lists, from the first of the machine's mirrors that has them signed by Debian."""
        if suites not in self._open:
            self._open[suites] = self._fetch(suites)
        return self._open[suites]

    def _fetch(self, suites: tuple[str, ...]) -> Release:
        release = Release(self._folder / suites[0], suites)
        reason = f"apt has no source for {codename()}; see /etc/apt"
        for base in mirrors(self._task, codename()):
            try:
                say(f"      fetching the package lists of {' and '.join(suites)}")
                release.update(self._task, base)
            except Failure as failure:
                reason = str(failure)
            else:
                return release
        raise Failure(reason)


@contextmanager
def open_releases(task: Task, folder: Path) -> Iterator[Releases]:
    """Releases with their state under `folder`, which is gone afterwards: old package lists are worth nothing."""
    try:
        yield Releases(task, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
