"""Floods an HTTP address, in a process of its own: `python flooding.py HOST PORT CONNECTIONS TOKEN`.

First it opens so many connections as fast as it can and lets none go. Then it sends what no client should, until
its stdin is closed. Last it says on stdout what became of all that: how many connections were opened or refused,
and how many requests got which answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import resource
import sys
from collections import Counter

AT_ONCE = 200
LIMIT_SECONDS = 15.0
SENDERS = 8

HEAD = "Host: {host}\r\nConnection: close\r\n"
JSON = HEAD + "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
DEAL = "/v1/deals/" + "0" * 32
ATTACKS = (
    "GET /v1/deals HTTP/1.1\r\n" + HEAD + "\r\n",
    "GET /v1/deals HTTP/1.1\r\n" + HEAD + "Authorization: Bearer slk_" + "0" * 16 + "_" + "A" * 43 + "\r\n\r\n",
    "GET /v1/deals HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "GET /v1/deals HTTP/1.1\r\n" + HEAD + "Origin: http://evil.example\r\n\r\n",
    "GET /v1/deals/' OR 1=1 -- HTTP/1.1\r\n" + HEAD + "\r\n",
    "GET /v1/deals/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + HEAD + "Authorization: Bearer {token}\r\n\r\n",
    "GET /v1/deals?first=1" + "0" * 400 + " HTTP/1.1\r\n" + HEAD + "Authorization: Bearer {token}\r\n\r\n",
    f"POST {DEAL}/wishes HTTP/1.1\r\n{JSON}Content-Length: 5000\r\n\r\n" + "[" * 5000,
    f"POST {DEAL}/wishes HTTP/1.1\r\n{JSON}Content-Length: 999999999\r\n\r\n",
    f"POST {DEAL}/wishes HTTP/1.1\r\n{JSON}Content-Length: 13\r\n\r\n" + '{{"wish": NaN}}'[:13],
    f"POST {DEAL}/wishes HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "X" * 20_000 + "\r\n\r\n",
)


class Flood:
    """Counts what became of it."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self.host, self.port, self.token = host, port, token
        self.counts: Counter[str] = Counter()
        self.kept: list[asyncio.StreamWriter] = []

    async def open_all(self, number: int) -> None:
        """Many connections, some with half a request on them."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(at: int) -> None:
            async with places:
                try:
                    async with asyncio.timeout(LIMIT_SECONDS):
                        reader, writer = await asyncio.open_connection(self.host, self.port)
                        if at % 2:
                            writer.write(f"GET /v1/deals HTTP/1.1\r\nHost: {self.host}\r\nX-Slow: ".encode())
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(0.05):
                                await reader.read(1)
                    self.kept.append(writer)
                    self.counts["opened"] += 1
                except (OSError, TimeoutError):
                    self.counts["refused"] += 1

        await asyncio.gather(*(one(at) for at in range(number)))

    async def send_for_ever(self, first: int) -> None:
        """One request after the other, each on a connection of its own."""
        for attack in itertools.islice(itertools.cycle(ATTACKS), first, None):
            text = attack.replace("{host}", f"{self.host}:{self.port}").replace("{token}", self.token)
            self.counts[await self._send(text.encode("latin-1"))] += 1

    async def _send(self, raw: bytes) -> str:
        writer = None
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(raw)
                line = await reader.readline()
                return f"status {line.split()[1].decode()}" if line.startswith(b"HTTP/") else "closed"
        except TimeoutError:
            return "kept waiting"
        except (OSError, ValueError):
            return "closed"
        finally:
            if writer is not None:
                writer.transport.abort()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    host, port, number, token = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    flood = Flood(host, port, token)
    await flood.open_all(number)
    say("opened")
    senders = [asyncio.create_task(flood.send_for_ever(at)) for at in range(SENDERS)]
    await asyncio.to_thread(sys.stdin.read)
    for sender in senders:
        sender.cancel()
    say(json.dumps(flood.counts))


if __name__ == "__main__":
    asyncio.run(main())
