"""Types the commands of a document as a reader would, in a folder of their own.

What a reader does by eye is done here: what was shown stands for PROPOSAL, DEAL and TOKEN, and a port of the text
is a free one, so that several runs don't meet.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from chains.testing.locate import nodes_folder
from chains.testing.processes import free_port
from relayer.exits import Exit
from tests.docs.blocks import ROOT

COMMAND_SECONDS = 150
READY_SECONDS = 60
PORT = re.compile(r"(127\.0\.0\.1:|--port )(\d{4,5})")
READY = {  # what is said by what is waited for
    "strikelock run": "ready:",
    "strikelock nodes postgres": "postgresql://",
    "prometheus": "Server is ready to receive web requests",
}
KILL = re.compile(r"kill -9 %([0-9]+)")
OURS = {"CLONE": str(ROOT)}  # what a reader would have elsewhere


class CommandFailed(AssertionError):
    """A command of a document did not do what it says."""


class Shell:
    """One reader at one machine. `holder` is the configuration in which proposals and deals are looked up, `maker`
    that in which offers are."""

    def __init__(self, folder: Path, holder: str = "bob.toml", maker: str = "maker.toml") -> None:
        self.folder = folder
        self.holder = holder
        self.maker = maker
        self.ran: list[str] = []
        self._token = ""
        self._ports: dict[str, int] = {}
        self._background: list[subprocess.Popen[bytes]] = []
        nodes = folder / "nodes"
        nodes.mkdir()
        (nodes_folder() / "cache").mkdir(parents=True, exist_ok=True)
        (nodes / "cache").symlink_to(nodes_folder() / "cache")  # chains that are mined already
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:{nodes_folder() / 'bin'}"
        self.environment = {**os.environ, "PATH": path, "STRIKELOCK_NODES": str(nodes), "COLUMNS": "200"}

    def type(self, command: str) -> str:
        """Run one command to its end, or in the background where it says so; what it printed."""
        self.ran.append(command)
        if command.startswith("export "):
            return self._export(command)
        line = self.address(self._named(command))
        if line.startswith("strikelock deal release"):
            self._wait_until_live(line.split()[3])
        if line.endswith("&"):
            return self._start(line.removesuffix("&").strip())
        if killed := KILL.fullmatch(line):
            return self._kill(self._background[int(killed[1]) - 1])
        done = self._bash(line)
        if done.returncode != Exit.OK:
            raise CommandFailed(f"{command}\n{done.stdout}\n{done.stderr}\n{self.tails()}")
        if line.startswith("strikelock token new"):
            self._token = done.stdout.split()[-1]
        return done.stdout

    def close(self) -> None:
        """End what was started, as a reader's Ctrl-C would, and the nodes."""
        for process in self._background:
            process.send_signal(signal.SIGTERM)
        for process in self._background:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        subprocess.run(
            ["bash", "-c", "strikelock nodes down"],
            env=self.environment,
            timeout=60,
            capture_output=True,
            check=False,
        )

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def address(self, text: str) -> str:
        """An address of the text, or a text with addresses, with the ports that stand for them here."""
        return PORT.sub(self._port, text)

    # --- what a reader does by eye

    def _export(self, command: str) -> str:
        for word in shlex.split(command)[1:]:
            name, _, value = word.partition("=")
            self.environment[name] = OURS.get(name, value)
        return ""

    def _named(self, command: str) -> str:
        if "TOKEN" in command:
            return command.replace("TOKEN", self._token)
        if "OFFER" in command:
            listed = self._bash(f"strikelock offer list -c {self.maker} --json")
            return command.replace("OFFER", json.loads(listed.stdout)["offers"][0]["offer"])
        if "PROPOSAL" not in command and "DEAL" not in command:
            return command
        listed = self._bash(f"strikelock deal list --all -c {self.holder} --json")
        found = json.loads(listed.stdout)
        waiting = [one["proposal"] for one in found["proposals"] if one["state"] == "received"]
        deals = [one["deal"] for one in found["deals"]]
        for word, ids in (("PROPOSAL", waiting), ("DEAL", deals)):
            if word in command:
                if not ids:
                    raise CommandFailed(f"{command}\nthere is nothing for {word}: {found}\n{self.tails()}")
                command = command.replace(word, ids[0])  # the newest
        return command

    def _wait_until_live(self, deal: str) -> None:
        """As a reader does who was told to wait."""
        end = time.monotonic() + COMMAND_SECONDS
        while True:
            shown = self._bash(f"strikelock deal show {deal} -c {self.holder} --json")
            if shown.returncode == Exit.OK and json.loads(shown.stdout)["legs"]["premium"]["state"] == "spent":
                return
            if time.monotonic() > end:
                raise CommandFailed(f"deal {deal} is not live\n{shown.stdout}\n{shown.stderr}\n{self.tails()}")
            time.sleep(0.5)

    def _bash(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            timeout=COMMAND_SECONDS,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def _port(self, found: re.Match[str]) -> str:
        if found[2] not in self._ports:
            self._ports[found[2]] = free_port()
        return f"{found[1]}{self._ports[found[2]]}"

    def _kill(self, process: subprocess.Popen[bytes]) -> str:
        process.kill()
        process.wait(20)
        return ""

    def _start(self, line: str) -> str:
        """Start it; a party and a server are waited for."""
        log = self.folder / f"{len(self._background)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self._background.append(process)
        end = time.monotonic() + READY_SECONDS
        ready = next((text for start, text in READY.items() if line.startswith(start)), "")
        while ready not in log.read_text():
            if process.poll() is not None or time.monotonic() > end:
                raise CommandFailed(f"{line}\n{log.read_text()[-4000:]}")
            time.sleep(0.05)
        return ""
