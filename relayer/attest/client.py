"""A holder's way to the attesters of a deal: asks all of them, and takes what enough of them sign.

Every signature is checked before it counts, so that a member which lies costs no more than one that is silent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import aiohttp

from chains.errors import StrikelockError
from chains.legs import Leg, Quorum
from chains.port import Wallet
from chains.quorum import MAX_TEXT, deal_member, pack
from htlc.errors import QuorumShort
from htlc.ports import Deal
from htlc.protocols import protocol
from relayer.attest.service import ATTESTATIONS
from settlement.backup import describe
from settlement.seed import Identity

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 15.0  # its nodes are asked before it answers
HTTP_OK = 200


class HttpAttesters:
    """See `htlc.ports.Attesters`. urls: of every attester that we rely on, by its own key."""

    def __init__(self, identity: Identity, wallets: Mapping[str, Wallet], urls: Mapping[str, str]) -> None:
        self._identity = identity
        self._wallets = wallets
        self._urls = urls

    async def attest(self, deal: Deal, leg: str, path: str) -> str:
        """See the port. Returns as soon as enough members signed, however slow the others are."""
        built = protocol(deal.terms.protocol).legs(deal.terms)[leg]
        quorum = deal.terms.quorum or Quorum(0, ())
        text = describe(deal, self._identity).text.encode()
        signed: dict[str, str] = {}
        reasons: list[str] = []
        timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            asked = [
                asyncio.create_task(self._ask(session, member, deal.terms.digest, text, built, path))
                for member in quorum.members
            ]
            try:
                for answer in asyncio.as_completed(asked):
                    member, consent, reason = await answer
                    if consent is None:
                        reasons.append(reason)
                    else:
                        signed[member] = consent
                    if len(signed) >= quorum.threshold:
                        return pack(signed)
            finally:
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
        raise QuorumShort(len(signed), quorum.threshold, "; ".join(sorted(reasons)))

    async def _ask(
        self, session: aiohttp.ClientSession, member: str, digest: bytes, text: bytes, leg: Leg, path: str
    ) -> tuple[str, str | None, str]:
        """(the member's key in the deal, its good signature or None, why there is none)."""
        own = deal_member(member, digest)
        name = f"{member[:10]}…"
        if member not in self._urls:
            return own, None, f"{name} has no address here"
        try:
            consent = await _post(session, self._urls[member].rstrip("/") + ATTESTATIONS, text)
            if await self._wallets[leg.chain].check_consent(leg, path, own, consent):
                return own, consent, ""
            return own, None, f"{name} signed something else"
        except TimeoutError:
            return own, None, f"{name} did not answer in time"
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, StrikelockError) as error:
            return own, None, f"{name}: {error or type(error).__name__}"


async def _post(session: aiohttp.ClientSession, url: str, text: bytes) -> str:
    """What a member answers. Raises ValueError with its words where it does not sign."""
    async with session.post(url, data=text, allow_redirects=False) as response:
        body = b""
        while len(body) <= MAX_TEXT and (more := await response.content.read(MAX_TEXT)):
            body += more
        if len(body) > MAX_TEXT:
            raise ValueError("its answer is too long")
        answer = json.loads(body)
        if response.status != HTTP_OK:
            raise ValueError("".join(char if char.isprintable() else " " for char in str(answer["reason"])[:200]))
        consent = answer["consent"]
        if not isinstance(consent, str):
            raise ValueError("its answer holds no signature")
        return consent
