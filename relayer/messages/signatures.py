"""Gathers a quorum's signatures over a checkpoint, from validators' addresses and from a folder.

A signature is checked before it counts. One that is good, but for a root that the chain never had, is evidence
against its signer; two for one count are evidence that needs no chain, and halt the lane until somebody looked.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import structlog

from chains.evm.messaging.errors import TooFewSignatures
from chains.evm.messaging.message import Lane
from chains.evm.messaging.quorum import Checkpoint, SignerSet, recover
from chains.outside_json import loads
from settlement.store.messages import Evidence, MessageBook

log = structlog.get_logger(__name__)

ASK_SECONDS: Final = 5.0
MAX_BYTES: Final = 4096  # of an answer
REMEMBERED: Final = 4096  # claims that later ones are compared with
LIE, EQUIVOCATION = "lie", "equivocation"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a validator says it signed."""

    set: int
    count: int
    root: bytes
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """As validators serve it and leave it in files."""
        numbers = {"set": self.set, "count": self.count}
        return {**numbers, "root": "0x" + self.root.hex(), "signature": "0x" + self.signature.hex()}

    @classmethod
    def parse(cls, text: bytes) -> Claim:
        """Raises ValueError on anything else."""
        body = loads(text)
        try:
            root, signature = (bytes.fromhex(str(body[name]).removeprefix("0x")) for name in ("root", "signature"))
            made = cls(int(body["set"]), int(body["count"]), root, signature)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no claim: {error!r}") from error
        if len(root) != 32 or made.count < 0 or made.set < 0:
            raise ValueError("it is no claim")
        return made


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to every validator: what signature it has for a count. A task's result is None where the
    validator gave none."""

    answers: tuple[asyncio.Task[Claim | None], ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """The root that is true at a count, and good signatures over it so far, by signer."""

    signers: SignerSet
    count: int
    root: bytes
    good: dict[str, bytes] = field(default_factory=dict)


class Signatures:
    """One lane's. `seen` is what each signer was found to have signed, by count."""

    def __init__(
        self, name: str, lane: Lane, book: MessageBook, validators: Iterable[str], folder: Path | None
    ) -> None:
        self._name = name
        self._lane = lane
        self._book = book
        self._urls = tuple(url.rstrip("/") for url in validators)
        self._folder = folder
        self._session: aiohttp.ClientSession | None = None
        self._seen: dict[tuple[str, int], Claim] = {}
        self._excluded: set[str] | None = None  # signers
        self._late: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def ask(self, number: int, count: int) -> Asked:
        """Put the question to every validator; for `gather`, which may come later."""
        return Asked(tuple(asyncio.ensure_future(self._ask_one(url, number, count)) for url in self._urls))

    async def gather(self, signers: SignerSet, count: int, root: bytes, asked: Asked | None = None) -> bytes:
        """A quorum's signatures over `root` at `count`, as the inbox takes them, as soon as there is one. What
        comes later is judged as well. Raises TooFewSignatures."""
        ballot = Ballot(signers, count, root)
        waiting = set((asked or self.ask(signers.number, count)).answers)
        for claim in self._read(count):
            await self._judge(claim, ballot)
        while waiting and len(ballot.good) < signers.threshold:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for answer in done:
                await self._judge(answer.result(), ballot)
        if waiting:
            self._judge_later(waiting, ballot)
        if len(ballot.good) < signers.threshold:
            raise TooFewSignatures(signers.number, len(ballot.good), signers.threshold)
        return signers.gather(Checkpoint(signers.number, self._lane, count, root).digest, ballot.good)

    def _judge_later(self, waiting: set[asyncio.Task[Claim | None]], ballot: Ballot) -> None:
        """A validator that is slow holds nobody up, and is not believed unseen either."""

        async def judge() -> None:
            for answer in asyncio.as_completed(waiting):
                await self._judge(await answer, ballot)

        task = asyncio.create_task(judge())
        self._late.add(task)
        task.add_done_callback(self._judged)

    def _judged(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a late signature was not judged", lane=self._name, reason=str(error))

    async def _judge(self, claim: Claim | None, ballot: Ballot) -> None:
        """Count a claim, or its signer out."""
        if self._excluded is None:
            self._excluded = {one.signer for one in await self._book.accused(self._lane.id)}
        if claim is None or claim.count != ballot.count:
            return
        signer = self._signer(claim, ballot.signers)
        if signer is None or signer in self._excluded:
            return
        if await self._contradicts(signer, claim, ballot.root):
            self._excluded.add(signer)
            ballot.good.pop(signer, None)
        else:
            ballot.good[signer] = claim.signature

    def _signer(self, claim: Claim, signers: SignerSet) -> str | None:
        """The member that signed what the claim says."""
        if claim.set != signers.number:
            return None
        signer = recover(Checkpoint(claim.set, self._lane, claim.count, claim.root).digest, claim.signature)
        return signer if signer in signers.members else None

    async def _contradicts(self, signer: str, claim: Claim, root: bytes) -> bool:
        """Note what a signer has signed; whether it is against the chain or against itself."""
        before = self._seen.setdefault((signer, claim.count), claim)
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if before.root != claim.root:
            await self._accuse(signer, claim, EQUIVOCATION, f"0x{before.root.hex()} and 0x{claim.root.hex()}")
            await self._book.halt(self._lane.id, f"{signer} signed two roots for {claim.count} messages")
            return True
        if claim.root != root:
            await self._accuse(signer, claim, LIE, f"0x{claim.root.hex()} instead of 0x{root.hex()}")
            return True
        return False

    async def _accuse(self, signer: str, claim: Claim, kind: str, roots: str) -> None:
        log.error("a signer is not honest", lane=self._name, signer=signer, kind=kind, count=claim.count)
        detail = f"{roots}, signature 0x{claim.signature.hex()}"
        await self._book.accuse(Evidence(self._lane.id, signer, claim.count, kind, detail, int(time.time())))

    # --- where they come from

    async def _ask_one(self, url: str, number: int, count: int) -> Claim | None:
        """A validator that is silent, late or talks nonsense is as good as none."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS))
        path = f"{url}/v1/lanes/{self._lane.id.hex()}/votes/{number}/{count}"
        try:
            async with self._session.post(path) as response:
                text = await response.content.read(MAX_BYTES)
                return Claim.parse(text) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.info("no signature", lane=self._name, validator=url, reason=str(error) or type(error).__name__)
            return None

    def _read(self, count: int) -> list[Claim]:
        """Signatures left in the folder for a count."""
        found = []
        for path in self._folder.glob(file_name(self._lane, count, "*")) if self._folder is not None else ():
            try:
                found.append(Claim.parse(path.read_bytes()[:MAX_BYTES]))
            except (OSError, ValueError) as error:
                log.info("no signature", lane=self._name, file=path.name, reason=str(error))
        return found


def file_name(lane: Lane, count: int, signer: str) -> str:
    """The file in which a validator leaves a signature."""
    return f"{lane.id.hex()}-{count}-{signer}.json"


def document(claim: Claim) -> bytes:
    """A claim as bytes."""
    return json.dumps(claim.to_json()).encode()
