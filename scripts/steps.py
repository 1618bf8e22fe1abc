"""Steps of the set-up: shown as they run, logged, and skipped when their inputs are as they were."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEARTBEAT = 3.0  # seconds; no step is silent for longer than this


class Failure(Exception):
    """A step can't be done; the message is one line that a user can act on."""


def say(text: str) -> None:
    """Show one line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass
class Task:
    """Runs the commands of one step: output into a log file, a line of progress every few seconds."""

    name: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def log(self) -> Path:
        """The file that holds what the step's commands printed."""
        return self.folder / f"{self.name}.log"

    def run(self, *command: str, cwd: Path | None = None) -> None:
        """Run `command` to its end; raises `Failure` with the last line it printed."""
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            start = len(self.log.read_bytes())
            try:
                process = subprocess.Popen(
                    command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env()
                )
            except OSError as error:
                raise Failure(f"{command[0]}: {error.strerror}") from error
            self._wait(process)
        if process.returncode:
            raise Failure(f"{Path(command[0]).name}: {self._reason(start)} (whole log: {self.log})")

    def output(self, *command: str) -> str:
        """What `command` prints."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=self._env(), timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{command[0]}: {error}") from error
        if done.returncode:
            raise Failure(f"{Path(command[0]).name}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {**os.environ, "LC_ALL": "C.UTF-8", **self.environment}

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        started = shown = time.monotonic()
        while True:
            try:
                process.wait(timeout=0.05 if time.monotonic() - started < 1 else 0.25)
            except subprocess.TimeoutExpired:
                if time.monotonic() - shown >= HEARTBEAT:
                    shown = time.monotonic()
                    say(f"      {shown - started:3.0f} s  {self._last_line()[:100]}")
            else:
                return

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")[-20:]
        return next((line.split("\r")[-1] for line in reversed(lines) if line.strip()), "")

    def _reason(self, start: int) -> str:
        """The line that says why: the first error line if there is one, else the last line."""
        lines = [line.strip() for line in self.log.read_bytes()[start:].decode(errors="replace").splitlines()]
        errors = [line for line in lines if line.lower().startswith(("e:", "error", "npm error", "npm err!"))]
        return next(iter([*errors, *reversed([line for line in lines if line])]), "no output")


@dataclass(frozen=True)
class Stamp:
    """Remembers the inputs that a finished step was made from."""

    path: Path

    def fresh(self, key: str) -> bool:
        """Whether the step was finished with these very inputs."""
        return self.path.exists() and self.path.read_text() == key

    def write(self, key: str) -> None:
        """Record that the step is done."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(key)


def fingerprint(*inputs: Path | str) -> str:
    """SHA-256 over the contents of files and over plain strings."""
    digest = hashlib.sha256()
    for item in inputs:
        data = item.read_bytes() if isinstance(item, Path) else item.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
