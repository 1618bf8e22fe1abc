"""A party in a process of its own, as an operator would run it: a configuration, a seed, `strikelock run`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w

from chains.errors import StrikelockError
from chains.testing.processes import free_port
from relayer.loading import load
from relayer.settings import SEED_FILE, Settings, database_url
from relayer.testing.world import OUTAGE_SECONDS, World
from settlement import seed as seeds
from settlement.store.store import Store

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
PASSPHRASE = "a world of play money"  # of seeds that live as long as a test


@dataclass(eq=False)
class ActorFailed(StrikelockError):
    """A party's process ended, or did not get ready in time."""

    role: str
    reason: str
    log: str
    template = "the {role}'s process failed: {reason}; the end of its log:\n{log}"


class Actor:
    """One party's process. `settings` is its configuration, with `tables` besides what every actor has."""

    verb: tuple[str, ...] = ("run",)

    def __init__(
        self,
        role: str,
        world: World,
        chains: Sequence[str],
        command: Sequence[str] = (),
        attesters: Mapping[str, str] | None = None,
        backup: str = "file",
        tables: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.role = role
        self._attesters = dict(attesters or {})
        self.folder = world.folder / role
        self.config = self.folder / "strikelock.toml"
        self.log = self.folder / "strikelock.log"
        self.command = tuple(command) or (sys.executable, "-m", "relayer.cli")
        self._process: asyncio.subprocess.Process | None = None
        self.settings = self._prepare(world, chains, backup, tables or {})

    @property
    def url(self) -> str:
        return f"http://{self.settings.peer.listen}"

    def _prepare(
        self, world: World, chains: Sequence[str], backup: str, tables: Mapping[str, Mapping[str, Any]]
    ) -> Settings:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "passphrase").write_text(PASSPHRASE)
        document = {
            "party": {"folder": ".", "passphrase_file": "passphrase"},
            "peer": {"listen": f"127.0.0.1:{free_port()}", "accept": "all"},
            "risk": {"outage": OUTAGE_SECONDS},
            "backup": {"mode": backup},
            "testing": {"clock_offset_file": str(world.offset_file.resolve())},
            "attester": {"listen": f"127.0.0.1:{free_port()}"},
            "attesters": self._attesters,
            "chains": {name: world.settings(name) for name in chains},
            **tables,
        }
        self.config.write_text(tomli_w.dumps(document))
        seeds.save(self.folder / SEED_FILE, seeds.new_words(), PASSPHRASE)
        return load(self.config)

    # --- the process ---------------------------------------------------------------------------------------

    async def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the process and wait until it is ready. Raises ActorFailed."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with self.log.open("ab") as log:  # compiled modules are kept: a restart would else compile them again
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                *self.verb,
                "--config",
                str(self.config),
                "--json",
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                env={**inherited, **(environment or {})},
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready()
        except TimeoutError:
            await self.kill()
            raise ActorFailed(self.role, f"not ready after {READY_SECONDS:.0f} s", self.tail()) from None

    async def _ready(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        text = ""
        async for line in self._process.stdout:
            text += line.decode()
            try:
                return dict(json.loads(text))
            except ValueError:
                continue
        raise ActorFailed(self.role, f"it ended with code {await self._process.wait()}", self.tail())

    @property
    def pid(self) -> int:
        """The process, for who looks at what it uses. Raises ActorFailed."""
        if self._process is None or self._process.returncode is not None:
            raise ActorFailed(self.role, "it does not run", self.tail())
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """End it as an operator would: SIGTERM, and SIGKILL if that does not help."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it at once: kill -9."""
        await self._end(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until it ends by itself; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    async def read(self) -> Store:
        """A reader of its database; to be closed by the caller."""
        return await Store.open(database_url(self.settings))


class AttesterActor(Actor):
    """An attester's process."""

    verb = ("attester", "start")

    @property
    def url(self) -> str:
        return f"http://{self.settings.attester.listen}"

    @property
    def member(self) -> str:
        """The key by which it stands in quorums."""
        return seeds.public_member(seeds.load(self.folder / SEED_FILE, PASSPHRASE).attester())
