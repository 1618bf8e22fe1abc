"""A PostgreSQL server for tests, on loopback, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from chains.testing.errors import NodeFailed, NodeRefused
from chains.testing.locate import find
from chains.testing.processes import NodeProcess

USER = "strikelock"
DATABASE = "postgres"
INITDB_TIMEOUT = 60.0  # seconds

# Who may own the server's files when we are root, whom PostgreSQL refuses to run as.
UNPRIVILEGED = ("postgres", "nobody")

# Tests don't survive a power cut, so nothing need be forced to disk; the just-in-time compiler costs start-up.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "jit": "off",
}


class Postgres(NodeProcess):
    """A PostgreSQL server; `url` is for the database `postgres`, owned by the user `strikelock`.

    folder: data folder; one of its own if None. When we are root, the server runs as an unprivileged user
    who must be able to reach the folder.
    """

    def __init__(self, *, folder: Path | None = None, port: int | None = None) -> None:
        self.program = find("postgres")
        self.initdb = find("initdb")
        self._password = secrets.token_hex(16)
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
        """Whether the server accepts connections."""
        if "ready to accept connections" not in self.tail():
            return False
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def stop(self, within: float = 20.0) -> None:
        """End the server in good order; open connections are closed (SIGINT, the fast shutdown)."""
        self._signal(signal.SIGINT)
        await self._ended(within / 2)
        await super().stop(within / 2)

    async def create_database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        psql = shutil.which("psql") or str(find("psql"))
        status, output = await self._run(psql, self.url, "-q", "-c", f'CREATE DATABASE "{name}"')
        if status:
            raise NodeRefused(self.name, "CREATE DATABASE", status, output.strip())
        return self.database_url(name)

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
