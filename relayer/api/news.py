"""What changes: a bounded log of which deals, proposals and takings look different than before, for whoever
follows it.

It says of what there is news, not what the news is: that is put together when it is sent, so a reader who lags
gets what stands now, and nothing that nobody reads is ever made. While nobody follows, nothing is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from chains.errors import StrikelockError
from htlc.driver import Report
from htlc.protocols.base import Absent, Funded, LegState, Spent
from htlc.turns import Turns

if TYPE_CHECKING:
    from relayer.daemon import Daemon

KEPT: Final = 2048  # items; a reader who lags by more is let go
PACE_SECONDS: Final = 0.2  # between two looks for something new
FOLLOWED_SECONDS: Final = 60.0  # after the last reader went, it is still kept for one who comes again
NEWEST: Final = 50  # proposals, and takings, that are watched

Kind = Literal["deal", "proposal", "taking"]


@dataclass(frozen=True, slots=True)
class Item:
    """News of a deal, a proposal or a taking."""

    number: int
    kind: Kind
    about: str


class News:
    """The log. `run` keeps it; readers `join`, read `after` a number, and wait for `more`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._items: deque[Item] = deque(maxlen=KEPT)
        self._seen: dict[tuple[Kind, str], object] = {}
        self._look = -1
        self._book_known = False
        self._readers = 0
        self._left_at = float("-inf")
        self._more = asyncio.Event()
        self._turn = asyncio.Lock()  # one reading of what is known at a time
        self.epoch = ""
        self.last = 0

    # --- readers -----------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Somebody follows from now on: what comes after this returns is news to them."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if not self._readers and loop.time() - self._left_at > FOLLOWED_SECONDS:
                await self._begin()
            self._readers += 1

    def leave(self) -> None:
        """One reader less."""
        self._readers -= 1
        self._left_at = asyncio.get_running_loop().time()

    async def _begin(self) -> None:
        """What was missed in between can't be known: what comes now has nothing to do with what was."""
        self.epoch, self._look, self._book_known = secrets.token_hex(4), -1, False
        self._items.clear()
        self._seen = dict(self._reports())
        with contextlib.suppress(StrikelockError):  # then they are known from the first look on that finds them
            self._seen.update(await self._booked())
            self._book_known = True

    def place(self, id_: str) -> int | None:
        """The number of the last item that a reader has had, by the id it was told; None where what came after it
        is not all kept."""
        epoch, _, number = id_.rpartition("-")
        if epoch != self.epoch or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        return int(number) if self._whole_after(int(number)) else None

    def _whole_after(self, number: int) -> bool:
        oldest = self._items[0].number if self._items else self.last + 1
        return oldest - 1 <= number <= self.last

    def id_of(self, number: int) -> str:
        """What a reader shows to go on after an item."""
        return f"{self.epoch}-{number}"

    def after(self, number: int) -> tuple[Item, ...] | None:
        """Items after a number, the latest of each deal alone; None where some are lost already."""
        if not self._whole_after(number):
            return None
        latest = {(item.kind, item.about): item for item in self._items if item.number > number}
        return tuple(sorted(latest.values(), key=lambda item: item.number))

    async def more(self, number: int, seconds: float) -> None:
        """Wait until there is something after a number, or so long."""
        if self.last > number:
            return
        try:
            await asyncio.wait_for(self._more.wait(), seconds)
        except TimeoutError:
            return

    # --- keeping it --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Compare what the driver saw with what was seen before, for ever, while somebody follows."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PACE_SECONDS)
            if self._readers or loop.time() - self._left_at <= FOLLOWED_SECONDS:
                async with self._turn:
                    await self._compare()

    async def _compare(self) -> None:
        look = self._daemon.driver.pulse.ticks
        if look == self._look:
            return
        self._look = look
        found: dict[tuple[Kind, str], object] = {}
        turns = Turns()
        for key, seen in self._reports():
            await turns.give()
            found[key] = seen
        known = self._book_known  # those that are there when somebody begins to follow are no news
        try:
            found.update(await self._booked())
            self._book_known = True
        except StrikelockError:  # the database is not there now; the deals have their news all the same
            found.update({key: seen for key, seen in self._seen.items() if key[0] != "deal"})
        changed = [key for key, seen in found.items() if self._seen.get(key) != seen]
        over = [key for key in self._seen if key[0] == "deal" and key not in found]
        self._seen = found
        for kind, about in (*changed, *over):
            if kind == "deal" or known:
                self._add(kind, about)

    def _add(self, kind: Kind, about: str) -> None:
        self.last += 1
        self._items.append(Item(self.last, kind, about))
        self._more.set()
        self._more = asyncio.Event()

    def _reports(self) -> Iterator[tuple[tuple[Kind, str], object]]:
        reports: Mapping[str, Report] = self._daemon.driver.reports
        for id_, report in tuple(reports.items()):
            yield ("deal", id_), _face(report)

    async def _booked(self) -> dict[tuple[Kind, str], object]:
        """The newest of what only the database tells of."""
        store, now = self._daemon.party.store, int(self._daemon.party.clock.now())
        found: dict[tuple[Kind, str], object] = {
            ("proposal", one.id): (one.stage.name, one.pending) for one in await store.book.proposals(limit=NEWEST)
        }
        for one in await store.offers.takings(now, limit=NEWEST):
            found["taking", one.taking.id] = (one.state, one.proposal, one.deal, one.outcome)
        return found


def _face(report: Report) -> object:
    """What of a deal must change for it to be news. Depth is, until it is final."""
    seen = report.observation
    depths = {name: seen.deal.guards.chains[leg.chain].depth for name, leg in seen.deal.terms.legs.items()}
    legs = tuple(_leg(state, depths[name]) for name, state in seen.view.legs.items())
    sent = tuple((a.tx.txid, a.state.phase, a.intent.final is None) for a in seen.attempts.all)
    return legs, sent, seen.deal.will, seen.deal.vows, report.troubles


def _leg(state: LegState, need: int) -> object:
    match state:
        case Absent(held):
            return "absent", held
        case Funded(depth, held):
            return "funded", min(depth, need), held
        case Spent(path, depth, held):
            return "spent", path, min(depth, need), held
