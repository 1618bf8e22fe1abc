"""strikelock, in a process whose validator is not honest: it has the key of a member, and signs what it likes.
`python lying_validator.py lies validator start --config FILE`."""

from __future__ import annotations

import asyncio
import itertools
import sys

from aiohttp import web

from chains.evm.messaging.quorum import Checkpoint, sign
from relayer.cli.main import app
from relayer.messages.signatures import Claim
from relayer.validator.service import Validator
from relayer.validator.signer import LaneSigner

HOW = sys.argv[1]
LIE = b"\xab" * 32
turns = itertools.count()


def lie(signer: LaneSigner, count: int) -> Claim:
    digest = Checkpoint(signer.number, signer.lane, count, LIE).digest
    return Claim(signer.number, count, LIE, sign(digest, signer._key))


async def truth(signer: LaneSigner, count: int) -> Claim:
    return await signer.vote(signer.number, count)


async def vote(self: Validator, request: web.Request) -> web.Response:
    signer = self._by_id[request.match_info["lane"]]
    count = int(request.match_info["count"])
    match HOW:
        case "lies":
            claim = lie(signer, count)
        case "says-two-things":
            claim = lie(signer, count) if next(turns) % 2 else await truth(signer, count)
        case "keeps-one-waiting":
            await asyncio.sleep(3600)
            claim = await truth(signer, count)
        case "talks-nonsense":
            return web.Response(body=b"{" * 10_000_000, content_type="application/json")
    return web.json_response(claim.to_json())


Validator._vote = vote
app(sys.argv[2:])
