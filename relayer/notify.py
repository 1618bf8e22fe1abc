"""What systemd is told: sd_notify(3), the protocol alone, a datagram to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def notify(*lines: str) -> None:
    """Tell the supervisor, if there is one. It is told or not: a full or missing socket is no trouble of ours."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:
        return


def status(text: str) -> str:
    """One line of `systemctl status`."""
    return "STATUS=" + " ".join(text.split())


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear from this process, in seconds; None where it does not watch it."""
    limit, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not limit.isdigit() or int(limit) == 0 or (pid.isdigit() and int(pid) != os.getpid()):
        return None
    return int(limit) / 1_000_000
