"""The lanes of a relayer that runs as a process of its own, asked for now and then."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from pydantic import TypeAdapter, ValidationError

from relayer.dashboard.models import Lane, Lanes

ASK_SECONDS: Final = 5.0  # between two questions
ANSWER_SECONDS: Final = 3.0  # a relayer that takes longer does not answer
MAX_ANSWER: Final = 256 * 1024  # bytes

LANES: Final = TypeAdapter(tuple[Lane, ...])


class LaneWatch:
    """What a relayer said last. It answers GET at `url` with a JSON list of `Lane`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.last = Lanes(trouble="not asked yet", lanes=())

    async def run(self) -> None:
        """Ask, for ever. Nothing that a relayer says or fails to say ends it."""
        limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                self.last = await self._ask(session)
                await asyncio.sleep(ASK_SECONDS)

    async def _ask(self, session: aiohttp.ClientSession) -> Lanes:
        try:
            async with session.get(self._url, allow_redirects=False) as answer:
                answer.raise_for_status()
                text = await _bounded(answer.content)
            return Lanes(trouble=None, lanes=LANES.validate_json(text))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Lanes(trouble=f"no answer: {error or type(error).__name__}", lanes=self.last.lanes)
        except ValidationError as error:
            return Lanes(trouble=f"its answer is no list of lanes: {error.errors()[0]['msg']}", lanes=())


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """The whole answer, or so much of it that it can't be read as one."""
    text = b""
    async for chunk in content.iter_any():
        text += chunk
        if len(text) > MAX_ANSWER:
            break
    return text[:MAX_ANSWER]
