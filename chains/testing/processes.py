"""A node as a child process: own process group, own folder, free port, bounded waits, ended with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chains.testing.errors import NodeFailed, NodeSilent
from chains.testing.rpc import JsonRpc

# All in seconds.
READY_TIMEOUT = 60.0  # from the start of the process to its first good answer, on a busy machine
STOP_TIMEOUT = 20.0  # from SIGTERM to SIGKILL: a UTXO node flushes its databases on the way
POLL = 0.02

ATTEMPTS = 3  # another process may take a free port between our look and the node's bind
PORT_TAKEN = re.compile(r"already in use|binding rpc on address", re.IGNORECASE)
LOG_TAIL = 20  # lines

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


# Below those that the kernel gives to outgoing connections (32768 and up), so that nobody's connection takes a
# port between our look and the listener's bind; drawn, so that two test runs hardly meet.
PORTS = range(20_000, 32_000)
PORT_TRIES = 50


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    for port in (*random.sample(PORTS, PORT_TRIES), 0):  # 0: whatever the kernel gives
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found: int = probe.getsockname()[1]
            return found
    raise OSError(errno.EADDRNOTAVAIL, "no port on loopback is free")


class NodeProcess(ABC):
    """A node's process. Subclasses say how it is started and when it is ready.

    Use it as an asynchronous context manager. A folder of its own is removed at the end, but kept (and named
    in the error) when the block or the node fails; a folder given by the caller is always kept.
    """

    def __init__(self, name: str, folder: Path | None = None, port: int | None = None) -> None:
        self.name = name
        self.keep = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"strikelock-{name}-"))
        self.port = port or 0
        self.detached = False  # a detached node outlives the process that started it
        self._fixed_port = port is not None
        self._child: subprocess.Popen[bytes] | None = None

    # --- what a subclass says

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Program and arguments; `port` and `folder` are set."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether the node answers as it should. May raise `NodeError`, which counts as no."""

    async def prepare(self) -> None:  # noqa: B027 - most nodes need nothing
        """Called before each start of the process."""

    def environment(self) -> Mapping[str, str]:
        """Variables added to the environment of the process."""
        return {}

    def identity(self) -> tuple[int, int] | None:
        """User and group id to run as; None for our own."""
        return None

    # --- life

    @property
    def log(self) -> Path:
        """The file with what the process printed."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id while the process runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    async def start(self) -> None:
        """Start the process, unless it runs, and wait until it is ready; raises `NodeFailed`."""
        if self.pid is not None:
            return
        for attempt in range(ATTEMPTS):
            if not self._fixed_port:
                self.port = free_port()
            self.folder.mkdir(parents=True, exist_ok=True)
            await self.prepare()
            self._spawn()
            try:
                await self._wait_ready()
            except NodeFailed:
                await self.kill()
                if self._fixed_port or attempt == ATTEMPTS - 1 or not PORT_TAKEN.search(self.tail()):
                    raise
            except BaseException:
                await self.kill()
                raise
            else:
                self._fixed_port = True  # a restarted node is found where it was
                return

    async def ask(self, url: str, method: str, *params: Any, within: float) -> Any:
        """A JSON-RPC call; a process that ended by itself is told as `NodeFailed`, with its log."""
        try:
            return await JsonRpc(self.name, url).call(method, *params, within=within)
        except NodeSilent:
            if self._child is not None and self._child.poll() is not None:
                reason = f"ended by itself (status {self._child.returncode})"
                raise NodeFailed(self.name, reason, self.folder, self.tail()) from None
            raise

    async def stop(self, within: float = STOP_TIMEOUT) -> None:
        """End the process in good order: SIGTERM, and SIGKILL if it has not ended `within` seconds."""
        if self._child is None:
            return
        self.resume()
        self._signal(signal.SIGTERM)
        if not await self._ended(within):
            await self.kill()
        self._child = None

    async def kill(self) -> None:
        """End the process at once (SIGKILL), as a power cut would."""
        if self._child is None:
            return
        self._signal(signal.SIGKILL)
        await self._ended(STOP_TIMEOUT)
        self._child = None

    async def restart(self) -> None:
        """Stop and start again, on the same port and folder."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): it accepts connections but answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = LOG_TAIL) -> str:
        """The last lines of the log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError as error:
            return f"(no log: {error.strerror})"
        return "\n".join(text.splitlines()[-lines:])

    def discard(self) -> None:
        """Remove the folder, unless it was the caller's or is to be kept."""
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        if self._child is None:
            try:
                await self.start()
            except BaseException:
                self.keep = True
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self.keep:
            self.keep = True
            error.add_note(f"{self.name}: its data folder is kept: {self.folder}")
        await self.stop()
        self.discard()

    # --- inside

    def _spawn(self) -> None:
        identity = self.identity()
        user, group = identity or (None, None)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                list(self.command()),
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if identity else None,
                preexec_fn=None if self.detached else _die_with_parent,
            )

    async def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline:
            if self._child is None or self._child.poll() is not None:
                status = self._child.returncode if self._child else "unknown"
                raise NodeFailed(self.name, f"ended at start (status {status})", self.folder, self.tail())
            if await self.ready():
                return
            await asyncio.sleep(POLL)
        raise NodeFailed(self.name, f"not ready within {READY_TIMEOUT:.0f} s", self.folder, self.tail())

    async def _ended(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while self._child is not None and self._child.poll() is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL)
        return True

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the node's process group, which holds nothing but the node and its children."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def _die_with_parent() -> None:
    """Runs in the child before exec: the kernel kills the node when the thread that started it is gone.

    So start nodes from a thread that lasts, as the main one does.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
