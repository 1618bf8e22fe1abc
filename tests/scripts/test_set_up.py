"""The set-up's own parts: what it reads from the machine, and what it says when something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder as an import path, as it is when they run."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def task(scripts, tmp_path):
    from steps import Task

    return Task("test", tmp_path / "log")


class Printed:
    """A task whose commands print a prepared text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def output(self, *command: str) -> str:
        return self.text


def test_debians_mirror_comes_before_other_publishers(scripts):
    import debian

    text = (
        "'http://other.test/linux/dists/bookworm/InRelease' a 0 \n"
        "'http://mirror.test/debian/dists/bookworm/InRelease' b 0 \n"
        "'http://mirror.test/debian/dists/bookworm-updates/InRelease' c 0 \n"
        "'http://mirror.test/security/dists/bookworm-security/InRelease' d 0 \n"
        "'http://mirror.test/debian/dists/bookworm/main/binary-amd64/Packages.xz' e 0 \n"
    )
    assert debian.mirrors(Printed(text), "bookworm") == ["http://mirror.test/debian", "http://other.test/linux"]
    assert debian.mirrors(Printed(""), "bookworm") == []


def test_libraries_are_followed_and_nothing_else(scripts, tmp_path):
    import debian

    records = {
        "node": "Package: node\nDepends: debconf (>= 0.5) | debconf-2.0, libone (>= 1), libc6, systemd",
        "libone": "Pre-Depends: libtwo:any | libthree\nDepends: libone, libllvm14, zlib1g (>= 1:1)",
    }

    class Apt(Printed):
        def output(self, *command: str) -> str:
            return "\n\n".join(records.get(name, "") for name in command)

    release = debian.Release(tmp_path, ("bookworm",))
    assert release.libraries(Apt(""), "node", libc=False) == ["libone", "libtwo", "node", "zlib1g"]
    assert "libc6" in release.libraries(Apt(""), "node", libc=True)


def test_lists_must_be_signed_by_debian(scripts, task, tmp_path, monkeypatch):
    import debian

    monkeypatch.setattr(task, "run", lambda *command: None)
    release = debian.Release(tmp_path / "apt", ("trixie", "trixie-backports"))
    release.update(task, "http://mirror.test/debian")
    lines = (tmp_path / "apt" / "sources.list").read_text().splitlines()
    assert len(lines) == 2
    if debian.KEYRING.exists():
        assert all(f"[signed-by={debian.KEYRING}]" in line for line in lines)
    assert "trusted" not in "".join(lines)
    assert "AllowUnauthenticated" not in (tmp_path / "apt" / "apt.conf").read_text()


def test_a_failed_command_is_one_line_with_the_reason(task):
    from steps import Failure

    with pytest.raises(Failure) as caught:
        task.run(
            sys.executable,
            "-c",
            "print('noise'); print('E: the disk is full'); print('more'); raise SystemExit(1)",
        )
    assert "E: the disk is full" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_command_is_a_failure_not_a_traceback(task):
    from steps import Failure

    with pytest.raises(Failure, match="No such file"):
        task.run("/nowhere/tool")
    with pytest.raises(Failure):
        task.output("/nowhere/tool")


def test_no_step_is_silent_for_long(task, monkeypatch, capsys):
    import steps

    monkeypatch.setattr(steps, "HEARTBEAT", 0.3)
    task.run(sys.executable, "-uc", "import time; print('unpacking'); time.sleep(2)")
    assert "unpacking" in capsys.readouterr().out


def test_stamps_tell_changed_inputs(scripts, tmp_path):
    from steps import Stamp, fingerprint

    source = tmp_path / "input"
    source.write_text("one")
    stamp = Stamp(tmp_path / "stamps" / "step")
    first = fingerprint(source, "x")
    assert not stamp.fresh(first)
    stamp.write(first)
    assert stamp.fresh(first)
    source.write_text("two")
    assert not stamp.fresh(fingerprint(source, "x"))
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_missing_tools_are_named_with_what_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-B", str(SCRIPTS / "set_up.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stdout
        == "set-up stopped: tools are missing; install them with: apt install gcc libc6-dev nodejs npm\n"
    )


def test_wrappers_run_their_own_loader_with_every_argument(scripts, tmp_path):
    """A loader of our own shows how the wrapper calls it."""
    import nodes

    library = tmp_path / "tool" / "usr" / "lib" / "x86_64-linux-gnu"
    library.mkdir(parents=True)
    (library / "libc.so.6").touch()
    loader = library / "ld-linux.so.2"
    loader.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    loader.chmod(0o755)
    nodes.wrap(tmp_path, "tool", "usr/bin/tool", loader=loader)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "bin" / "tool")
    done = subprocess.run([str(link), "a b", "-c=$d"], capture_output=True, text=True, timeout=10, check=True)
    path, program = str(library), str(tmp_path / "tool" / "usr" / "bin" / "tool")
    assert done.stdout.splitlines() == ["--library-path", path, "--argv0", str(link), program, "a b", "-c=$d"]


def test_no_registry_or_mirror_is_named():
    """A clone works with the registries its user has: neither lock files nor scripts hold an address."""
    root = SCRIPTS.parent
    names = ("package.json", "package-lock.json", "requirements.lock", ".npmrc", "Makefile")
    words = ("resolved", "registry.", "index-url", "pypi", "deb.debian", "http://deb")
    options = ("emit-index-url", "omit-lockfile-registry-resolved")
    for path in [*(root / name for name in names), *SCRIPTS.glob("*.py")]:
        for line in path.read_text().splitlines():
            if not any(option in line for option in options):
                assert not any(word in line for word in words), (path, line)
