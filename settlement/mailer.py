"""Carries messages of ours to where they belong, and again until they are answered.

Implements `htlc.ports.Peer`. What is to be sent is read from the store, so a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import structlog

from chains.errors import StrikelockError
from htlc.errors import PeerUnavailable
from htlc.ports import Deal
from settlement.agreement import Agreement
from settlement.bodies import RefusalBody
from settlement.errors import MessageError
from settlement.messages import Kind, Message
from settlement.post import Post
from settlement.proposal import Proposal
from settlement.releases import Releases
from settlement.store import Store
from settlement.store.errors import StoreUnavailable

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0  # between two looks at what is pending
FIRST_PAUSE = 1.0  # seconds until a message is sent again; doubles
LONGEST_PAUSE = 60.0
DECISION_PAUSE = 5.0  # how often we ask for a decision that people take
AT_ONCE = 8
MAX_TURNS = 6  # messages of one conversation; an exchange has three


@dataclass(frozen=True, slots=True)
class _Next:
    """When to send again, and the pause after that."""

    at: float
    pause: float


class Mailer:
    """Sends what is pending. `send` is one try; `run` keeps trying everything."""

    def __init__(self, store: Store, agreement: Agreement, releases: Releases, post: Post) -> None:
        self._store = store
        self._agreement = agreement
        self._releases = releases
        self._post = post
        self._next: dict[str, _Next] = {}
        self._poke = asyncio.Event()

    async def send_consent(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        """Deliver a release signature. Raises PeerUnavailable also where the peer does not take it now."""
        try:
            message = self._releases.seal(deal, leg, path, consent)
        except MessageError as error:  # too many deposits to sign for in one message
            raise PeerUnavailable(deal.peer, str(error)) from error
        answer = await self._post.send(deal.peer, message)
        if answer.kind is Kind.REFUSAL:
            body = RefusalBody.parse(answer.body)
            raise PeerUnavailable(deal.peer, f"it does not take the release: {body.reason}")
        if answer.kind is not Kind.RECEIPT:
            raise PeerUnavailable(deal.peer, f"it answered with {answer.kind.value}")

    async def send(self, proposal: Proposal) -> Proposal:
        """Send what an exchange waits for, act on the answer, and so on until the peer has nothing to say; where
        the exchange stands then. Raises PeerUnavailable, StoreUnavailable."""
        message: Message | None = self._agreement.outgoing(proposal)
        for _ in range(MAX_TURNS):
            if message is None:
                break
            if message.kind is Kind.RECEIPT:
                await self._post.tell(proposal.url, message)
                break
            answer = await self._post.send(proposal.url, message)
            message = await self._agreement.receive(answer)
            if answer.kind in (Kind.RECEIPT, Kind.REFUSAL):
                break
        return await self._store.book.proposal(proposal.id)

    def poke(self) -> None:
        """Something new may be pending."""
        self._poke.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send everything that is pending, again and again, until `stop` is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._poke.clear()
            try:
                await self._agreement.lapse()
                await self._round(loop.time())
            except StoreUnavailable as error:
                log.warning("store unavailable", reason=str(error))
            await self._pause(stop)

    async def _round(self, now: float) -> None:
        pending = await self._store.book.pending()
        self._next = {proposal.id: self._next[proposal.id] for proposal in pending if proposal.id in self._next}
        due = [proposal for proposal in pending if proposal.url and self._due(proposal, now)]
        places = asyncio.Semaphore(AT_ONCE)

        async def one(proposal: Proposal) -> None:
            async with places:
                await self._try(proposal)

        async with asyncio.TaskGroup() as group:
            for proposal in due:
                group.create_task(one(proposal))

    def _due(self, proposal: Proposal, now: float) -> bool:
        return proposal.id not in self._next or self._next[proposal.id].at <= now

    async def _try(self, proposal: Proposal) -> None:
        """One attempt, and when to make the next."""
        now = asyncio.get_running_loop().time()
        last = self._next.get(proposal.id)
        pause = FIRST_PAUSE if last is None else min(2 * last.pause, LONGEST_PAUSE)
        try:
            await self._send_logged(proposal)
            pause = DECISION_PAUSE
        except PeerUnavailable as error:
            log.info("not delivered yet", proposal=proposal.id, reason=str(error))
        except StrikelockError as error:  # one exchange that can't go on must not hold up the others
            log.warning("exchange failed", proposal=proposal.id, reason=str(error))
        self._next[proposal.id] = _Next(now + pause * random.uniform(0.75, 1.25), pause)

    async def _send_logged(self, proposal: Proposal) -> None:
        after = await self.send(proposal)
        if after.stage.name != proposal.stage.name:
            log.info("exchange moved", proposal=proposal.id, before=proposal.stage.name, after=after.stage.name)

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._poke)]
        try:
            await asyncio.wait(waits, timeout=ROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
