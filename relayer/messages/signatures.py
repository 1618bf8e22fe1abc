"""Gathers a quorum's signatures over a checkpoint, from validators' addresses and from a folder.

A signature is checked before it counts. One that is good, but for a root that the chain never had, is evidence
against its signer; two for one count are evidence that needs no chain, and halt the lane until somebody looked.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
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

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def gather(self, signers: SignerSet, count: int, root: bytes) -> bytes:
        """A quorum's signatures over `root` at `count`, as the inbox takes them. Raises TooFewSignatures."""
        claims = [*await self._ask(signers.number, count), *self._read(count)]
        excluded = {one.signer for one in await self._book.accused(self._lane.id)}
        good: dict[str, bytes] = {}
        for claim in claims:
            signer = self._signer(claim, signers)
            if signer is None or signer in excluded or claim.count != count:
                continue
            if await self._contradicts(signer, claim, root):
                excluded.add(signer)
                good.pop(signer, None)
            else:
                good[signer] = claim.signature
        digest = Checkpoint(signers.number, self._lane, count, root).digest
        if len(good) < signers.threshold:
            raise TooFewSignatures(signers.number, len(good), signers.threshold)
        return signers.gather(digest, good)

    def _signer(self, claim: Claim, signers: SignerSet) -> str | None:
        """The member that signed what the claim says."""
        if claim.set != signers.number:
            return None
        signer = recover(Checkpoint(claim.set, self._lane, claim.count, claim.root).digest, claim.signature)
        return signer if signer in signers.members else None

    async def _contradicts(self, signer: str, claim: Claim, root: bytes) -> bool:
        """Note what a signer has signed; whether it is against the chain or against itself."""
        before = self._seen.setdefault((signer, claim.count), claim)
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

    async def _ask(self, number: int, count: int) -> list[Claim]:
        answers = await asyncio.gather(*(self._ask_one(url, number, count) for url in self._urls))
        return [answer for answer in answers if answer is not None]

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
