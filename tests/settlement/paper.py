"""Chains on paper: they make addresses and judge legs, and hold no money. For tests of messages only."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from chains.errors import BadAsset, ChainUnavailable, Dust
from chains.legs import Leg
from chains.port import BlockProcess, FeeEstimate, Key, LegAddress, Snapshot, Timing, Tip
from tests.settlement.samples import AT

TIMING = Timing(
    BlockProcess.SLOTTED, interval=10.0, inclusion=2, depth=6, median_span=1, clock_error=5, stale_after=600
)
DUST = 1000


class PaperWallet:
    def __init__(self, chain: PaperChain, seed: bytes) -> None:
        self._chain, self._seed = chain, seed
        self.address = self._secret(b"", "address").hex()
        self.good = True
        self.held = 10**30

    def _secret(self, nonce: bytes, label: str) -> bytes:
        return hashlib.sha256(self._seed + self._chain.name.encode() + nonce + label.encode()).digest()

    def key(self, nonce: bytes, label: str) -> Key:
        secret = self._secret(nonce, label)
        return Key("02" + hashlib.sha256(secret).hexdigest(), secret)

    async def balance(self, asset: str) -> int:
        return self.held

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        return consent == f"{path} by {signer}"


class PaperChain:
    family = "paper"
    timing = TIMING

    def __init__(self, name: str, identity: str | None = None) -> None:
        self.name = name
        self.identity = identity or f"paper:{name}"
        self.height = 500
        self.price = 1
        self.away = False
        self.twist = ""  # what makes this chain build other addresses than its twin

    def check(self, leg: Leg) -> None:
        leg.check()
        if leg.amount < DUST:
            raise Dust(leg.amount, f"less than {DUST}")

    def address(self, leg: Leg) -> LegAddress:
        digest = hashlib.sha256((self.twist + repr(leg)).encode()).hexdigest()
        return LegAddress(self.name, digest[:40], "00" + digest, f"paper({digest})", None)

    def asset(self, text: str) -> str:
        if text not in ("native", "token"):
            raise BadAsset(self.name, text)
        return text

    async def decimals(self, asset: str) -> int:
        return 8 if self.name == "bitcoin" else 18

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        return 100 * price

    async def fees(self) -> FeeEstimate:
        self._answer()
        return FeeEstimate(self.price, self.price, 1)

    async def look(self) -> Snapshot:
        self._answer()
        return Snapshot(Tip(self.height, "hash", AT, AT), {})

    def wallet(self, seed: bytes) -> PaperWallet:
        return PaperWallet(self, seed)

    def _answer(self) -> None:
        if self.away:
            raise ChainUnavailable(self.name, "on paper")


def slower(chain: PaperChain, factor: float) -> PaperChain:
    chain.timing = replace(TIMING, interval=TIMING.interval * factor)
    return chain
