"""An attester's door: `POST /v1/attestations` with a deal's descriptor, `GET /v1/attester` for its key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from aiohttp import web

from chains.errors import ChainError, StrikelockError
from relayer.attest.attester import Attester
from relayer.attest.errors import NotOurQuorum, NotYet, TooLate
from settlement.backup import MAX_BYTES, read_descriptor
from settlement.errors import BadDescriptor
from settlement.gate import Limiter, Rate

ATTESTATIONS, MEMBER = "/v1/attestations", "/v1/attester"
BODY_SECONDS = 15.0
PER_ADDRESS = Rate(5, 50)  # each costs a look at two nodes
STATUS: Mapping[type[StrikelockError], int] = {
    BadDescriptor: 400,
    NotOurQuorum: 403,
    NotYet: 409,
    TooLate: 410,
    ChainError: 503,
}
REFUSED, TOO_SLOW, TOO_MANY = 403, 408, 429


class Service:
    """Handlers for one attester."""

    def __init__(self, attester: Attester, per_address: Rate = PER_ADDRESS) -> None:
        self._attester = attester
        self._addresses = Limiter(per_address)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BYTES)
        application.add_routes([web.post(ATTESTATIONS, self.attest), web.get(MEMBER, self.member)])
        return application

    async def member(self, _request: web.Request) -> web.Response:
        """Which key we are, as plain text."""
        return web.Response(text=self._attester.member + "\n")

    async def attest(self, request: web.Request) -> web.Response:
        """Our signature for a deal, or why there is none."""
        pause = self._addresses.wait(request.remote or "", time.monotonic())
        if pause:
            return _problem(TOO_MANY, "TooManyQuestions", f"wait {pause:.0f} s")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
        except TimeoutError:
            return _problem(TOO_SLOW, "TooSlow", f"a descriptor has to be here within {BODY_SECONDS:.0f} seconds")
        try:
            consent = await self._attester.attest(read_descriptor(raw))
        except StrikelockError as error:
            status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), REFUSED)
            return _problem(status, type(error).__name__, str(error))
        return web.json_response({"member": self._attester.member, "consent": consent})


def _problem(status: int, code: str, reason: str) -> web.Response:
    return web.json_response({"code": code, "reason": reason}, status=status)
