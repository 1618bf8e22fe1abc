"""What must hold, by id, and what must sometimes happen: a run of which nothing was asked shows nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

INVARIANTS = {
    "agreed": "both parties agreed to the same terms, whatever was lost, repeated or forged, or neither did",
    "sober": "the first bid after an outage is not the whole leg",
    "value": "value is conserved on every chain, per asset, to the unit",
    "no-loss": "no honest party ends with less than its terms allow",
    "spent-once": "what stood at a leg was spent at most once on the best chain",
    "funded-once": "no leg was paid twice by an honest party",
    "reveal-guard": "no first reveal without a final leg, its margin, and every leg it is owed",
    "fund-guard": "no funding before the leg that it is for was final, none after its time",
    "release-guard": "no release was signed while anything could be lost by it",
    "attested": "no exercise was shown without the quorum's signatures, and none of them is for a missing strike",
    "refund-time": "no refund was broadcast before its time",
    "stored-first": "nothing was broadcast that was not stored before",
    "no-leak": "no secret in logs, errors or messages before it was public",
    "closed-final": "a deal was closed only beyond the reorganisation horizon",
    "outcome": "the outcome reported is that of the chains",
    "limited": "a restored party funded nothing, revealed nothing first and signed no release",
    "vows": "no vow was broken: no funding and no reveal after promising never to",
    "fee-cap": "no fee above the cap it was signed under, none above what a leg is worth",
    "live": "every deal of an honest party ended before its last deadline and a margin",
    "no-error": "nothing failed in a way that was not foreseen",
}

SOMETIMES = (
    "deal exercised",
    "deal expired",
    "deal abandoned",
    "deal swapped",
    "deal refunded",
    "deal unfunded",
    "deal forfeited by the other party",
    "reorganisation",
    "reorganisation undid a transaction",
    "reorganisation crossed a claim",
    "restart between intent and broadcast",
    "restart right after a broadcast",
    "restart in the middle of a deal",
    "a stale backup was restored",
    "a replacement was signed",
    "a replacement won",
    "a bid was raised after an outage",
    "a funding was cancelled",
    "a claim was mined in the last blocks before the deadline",
    "the other party claimed in the last blocks",
    "the other party refunded at the first possible block",
    "a preimage was read from the mempool",
    "a leg was funded in part",
    "a leg was funded twice",
    "late money came to a spent leg",
    "the other party took its funding back",
    "a release was used",
    "a bad release was refused",
    "the terms were agreed by messages",
    "a forged message was refused",
    "a hash of another deal was refused",
    "a quorum attested an exercise",
    "too few attesters signed",
    "a lying attester was of no use",
    "a vow was sworn",
    "a vault spend reverted",
    "a replacement was cycled out",
    "a spend was pinned",
    "a fee spike",
    "a transaction was censored",
    "a funding was kept out of blocks",
    "a restored party forfeited something",
    "a tip was stale",
    "the driver worked on a real database",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One broken invariant in one run."""

    seed: int
    invariant: str
    detail: str


@dataclass(slots=True)
class Judge:
    """Collects one run's failures and events. now: a label for the transcript."""

    seed: int
    failures: list[Failure] = field(default_factory=list)
    sometimes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    transcript: list[str] | None = None
    margin: float | None = None
    lost: int = 0

    def fail(self, invariant: str, detail: str) -> None:
        """An invariant does not hold; once is enough."""
        assert invariant in INVARIANTS, invariant  # noqa: S101 - ids are ours
        if all(one.invariant != invariant for one in self.failures):
            self.failures.append(Failure(self.seed, invariant, detail))
        self.say(f"BROKEN {invariant}: {detail}")

    def check(self, holds: bool, invariant: str, detail: str) -> None:
        if not holds:
            self.fail(invariant, detail)

    def saw(self, event: str) -> None:
        """A "sometimes" happened."""
        self.sometimes[event] += 1

    def say(self, text: str) -> None:
        """For a replay."""
        if self.transcript is not None:
            self.transcript.append(text)

    def margined(self, seconds: float) -> None:
        """A claim was mined that long before its deadline."""
        self.margin = seconds if self.margin is None else min(self.margin, seconds)
