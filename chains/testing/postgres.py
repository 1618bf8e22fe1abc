"""A PostgreSQL server for tests, on loopback, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path

from chains.testing.errors import NodeFailed, NodeRefused
from chains.testing.locate import find
from chains.testing.processes import POLL, STOP_TIMEOUT, NodeProcess

USER = "strikelock"
DATABASE = "postgres"
INITDB_TIMEOUT = 60.0  # seconds

# Who may own the server's files when we are root, whom PostgreSQL refuses to run as.
UNPRIVILEGED = ("postgres", "nobody")

# Test data need not survive the machine, only a killed server: commits are written, but not forced to disk.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "jit": "off",
}


class Postgres(NodeProcess):
    """A PostgreSQL server; `url` is for the database `postgres`, owned by the user `strikelock`.

    folder: data folder; one of its own if None. When we are root, the server runs as an unprivileged user
    who must be able to reach the folder. password: of that user of the database; a new one if None.
    """

    def __init__(
        self, *, folder: Path | None = None, port: int | None = None, password: str | None = None
    ) -> None:
        self.program = find("postgres")
        self.initdb = find("initdb")
        self.psql = find("psql")
        self._password = password or secrets.token_hex(16)
        super().__init__("postgres", folder, port)

    @property
    def url(self) -> str:
        """Address with credentials, as SQLAlchemy and libpq read it."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """The address of one database of the server."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    def identity(self) -> tuple[int, int] | None:
        """An unprivileged user if we are root."""
        if os.geteuid() != 0:
            return None
        for name in UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return entry.pw_uid, entry.pw_gid
        raise NodeFailed(self.name, "root may not run it, and there is no user 'nobody'", self.folder, "")

    def command(self) -> Sequence[str]:
        """See `NodeProcess`."""
        settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
        return [str(self.program), "-D", str(self.data), "-p", str(self.port), *settings]

    async def prepare(self) -> None:
        """Make the cluster in a new folder."""
        if self.data.exists():
            return
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        if identity := self.identity():
            for path in (self.folder, password):
                os.chown(path, *identity)
        await self._initdb(password)
        password.unlink()

    async def ready(self) -> bool:
        """Whether the server answers a query: while it recovers it accepts connections, but none of those."""
        status, _ = await self._psql("SELECT 1")
        return status == 0

    async def stop(self, within: float = STOP_TIMEOUT) -> None:
        """End the server in good order; open connections are closed (SIGINT, the fast shutdown)."""
        self.resume()
        self._signal(signal.SIGINT)
        await self._ended(within / 2)
        await super().stop(within / 2)

    async def kill(self) -> None:
        """End the server and its workers, each of which has a process group of its own, at once."""
        workers = self._workers()
        await super().kill()
        # They end by themselves when the server is gone; until then a new one would refuse to start.
        for _ in range(int(STOP_TIMEOUT / POLL)):
            if not any(map(_exists, workers)):
                return
            await asyncio.sleep(POLL)

    def _workers(self) -> list[int]:
        if self.pid is None:
            return []
        return [int(word) for word in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    async def create_database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        status, output = await self._psql(f'CREATE DATABASE "{name}"')
        if status:
            raise NodeRefused(self.name, "CREATE DATABASE", status, output.strip())
        return self.database_url(name)

    async def _psql(self, text: str) -> tuple[int, str]:
        return await self._run(str(self.psql), self.url, "-X", "-q", "-c", text)

    async def _initdb(self, password: Path) -> None:
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        status, output = await self._run(
            str(self.initdb), "-D", str(self.data), "-U", USER, f"--pwfile={password}", *options
        )
        if status:
            raise NodeFailed(self.name, f"initdb failed (status {status})", self.folder, output)

    async def _run(self, *command: str) -> tuple[int, str]:
        """Run a short program as the server's user; returns its status and what it printed."""
        identity = self.identity()
        user, group = identity or (None, None)
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=user,
            group=group,
            extra_groups=[] if identity else None,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), INITDB_TIMEOUT)
        except TimeoutError:
            process.kill()
            raise NodeFailed(self.name, f"{Path(command[0]).name} takes too long", self.folder, "") from None
        return process.returncode or 0, output.decode(errors="replace")


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
