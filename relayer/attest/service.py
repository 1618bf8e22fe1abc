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
NEW_DEALS = Rate(0.1, 20)  # from one address: each has blocks read, back to where a leg may have been funded
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

    def __init__(self, attester: Attester, per_address: Rate = PER_ADDRESS, new_deals: Rate = NEW_DEALS) -> None:
        self._attester = attester
        self._addresses = Limiter(per_address)
        self._newcomers = Limiter(new_deals)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BYTES)
        application.add_routes([web.post(ATTESTATIONS, self.attest), web.get(MEMBER, self.member)])
        return application

    async def member(self, _request: web.Request) -> web.Response:
        """Which key we are, as plain text."""
        return web.Response(text=self._attester.member + "\n")

    async def attest(self, request: web.Request) -> web.Response:
        """Our signature for a deal, or why there is none."""
        caller = request.remote or ""
        pause = self._addresses.wait(caller, time.monotonic())
        if pause:
            return _problem(TOO_MANY, "TooManyQuestions", f"wait {pause:.0f} s")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
        except TimeoutError:
            return _problem(TOO_SLOW, "TooSlow", f"a descriptor has to be here within {BODY_SECONDS:.0f} seconds")
        try:
            descriptor = read_descriptor(raw)
            pause = 0.0 if self._attester.follows(descriptor) else self._newcomers.wait(caller, time.monotonic())
            if pause:
                return _problem(TOO_MANY, "TooManyDeals", f"wait {pause:.0f} s")
            consent = await self._attester.attest(descriptor)
        except StrikelockError as error:
            status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), REFUSED)
            return _problem(status, type(error).__name__, str(error))
        return web.json_response({"member": self._attester.member, "consent": consent})


def _problem(status: int, code: str, reason: str) -> web.Response:
    return web.json_response({"code": code, "reason": reason}, status=status)
