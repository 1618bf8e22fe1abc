"""Child processes: bounded waits, logs in errors, ends with the parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence

import pytest

from chains.testing import processes
from chains.testing.errors import NodeFailed
from chains.testing.processes import NodeProcess, free_port

SERVER = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, {handler})
server = http.server.HTTPServer(("127.0.0.1", {port}), http.server.BaseHTTPRequestHandler)
print("listening", flush=True)
server.serve_forever()
"""


class Server(NodeProcess):
    """A process of our own in place of a node; `handler` is what it does at SIGTERM."""

    def __init__(self, handler: str = "signal.SIG_DFL", program: str = SERVER, **options) -> None:
        self.handler = handler
        self.text = program
        super().__init__("server", **options)

    def command(self) -> Sequence[str]:
        text = self.text.format(handler=self.handler, port=self.port)
        return [sys.executable, "-u", "-c", text]

    async def ready(self) -> bool:
        return self.tail(1) == "listening"


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


async def test_runs_in_its_own_process_group_and_cleans_up():
    async with Server() as node:
        pid, folder = node.pid, node.folder
        assert os.getpgid(pid) == pid
        assert os.getpgid(pid) != os.getpgid(0)
        assert folder.is_dir()
    assert not alive(pid)
    assert not folder.exists()


async def test_folder_is_kept_and_named_when_the_block_fails():
    with pytest.raises(RuntimeError) as caught:
        async with Server() as node:
            raise RuntimeError("the test fails")
    assert node.log.read_text().startswith("listening")
    assert str(node.folder) in caught.value.__notes__[0]
    assert node.pid is None


async def test_a_folder_of_the_caller_is_never_removed(tmp_path):
    async with Server(folder=tmp_path / "node") as node:
        pass
    assert node.log.exists()


async def test_a_process_that_ends_at_start_is_told_with_its_log():
    with pytest.raises(NodeFailed, match=r"status 3") as caught:
        async with Server(program="print('out of cheese'); raise SystemExit(3)"):
            pytest.fail("it must not get here")
    assert "out of cheese" in caught.value.log
    assert caught.value.folder.is_dir()


async def test_a_process_that_never_answers_is_ended(monkeypatch):
    monkeypatch.setattr(processes, "READY_TIMEOUT", 0.5)
    node = Server(program="import time; print('asleep'); time.sleep(600)")
    with pytest.raises(NodeFailed, match="not ready within"):
        await node.start()
    assert node.pid is None


async def test_a_port_taken_in_between_is_replaced_by_another(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports))
        async with Server() as node:
            assert node.port != taken.getsockname()[1]
            assert "already in use" in node.log.read_text()


async def test_sigkill_follows_when_sigterm_is_ignored():
    node = Server(handler="signal.SIG_IGN")
    await node.start()
    pid = node.pid
    started = time.monotonic()
    await node.stop(within=0.3)
    assert 0.3 <= time.monotonic() - started < 5
    assert not alive(pid)
    node.discard()


async def test_stop_ends_a_paused_process_and_may_be_called_twice():
    node = Server()
    await node.start()
    node.pause()
    await node.stop()
    await node.stop()
    assert node.pid is None
    node.discard()


async def test_restart_and_kill_keep_port_and_folder():
    async with Server() as node:
        port, folder, pid = node.port, node.folder, node.pid
        await node.restart()
        assert (node.port, node.folder) == (port, folder)
        assert node.pid != pid
        await node.kill()
        assert node.pid is None
        await node.start()
        assert node.port == port


def test_ends_with_a_parent_that_is_killed(tmp_path):
    script = textwrap.dedent(
        """
        import asyncio, sys, time
        sys.path.insert(0, {tests!r})
        from test_testing_processes import Server

        async def main():
            node = Server()
            await node.start()
            print(node.pid, node.folder, flush=True)
            time.sleep(600)

        asyncio.run(main())
        """
    ).format(tests=os.path.dirname(__file__))
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        words = parent.stdout.readline().split()
        pid = int(words[0])
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(timeout=10)
        assert wait_gone(pid)
    finally:
        parent.kill()
        parent.stdout.close()
