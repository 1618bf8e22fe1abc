"""/v1/lanes and /v1/messages: what a relayer on our database has stored; empty where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from relayer.api import models, views
from relayer.api.asks import PageQuery
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.errors import NoSuchLane, NoSuchMessage
from settlement.spans import Spans
from settlement.store.messages import LaneNote, StoredMessage

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Lanes:
    """Read only: the relayer's own commands steer it."""

    def __init__(self, daemon: Daemon) -> None:
        self._book = daemon.party.store.messages
        self._settings = daemon.party.settings

    def operations(self) -> tuple[AnyOperation, ...]:
        lane, message = "/v1/lanes/{lane}", "/v1/messages/{message}"
        return (
            Operation(
                "GET",
                "/v1/lanes",
                "listLanes",
                "List lanes.",
                Scope.READ,
                models.LanePage,
                self.all,
                query=PageQuery,
            ),
            Operation(
                "GET",
                lane,
                "showLane",
                "Show a lane.",
                Scope.READ,
                models.Lane,
                self.one,
                problems=(NoSuchLane,),
            ),
            Operation(
                "GET",
                lane + "/messages",
                "listMessages",
                "List the messages of a lane, by index.",
                Scope.READ,
                models.MessagePage,
                self.messages,
                query=PageQuery,
                problems=(NoSuchLane,),
            ),
            Operation(
                "GET",
                message,
                "showMessage",
                "Show where a message is.",
                Scope.READ,
                models.Message,
                self.message,
                problems=(NoSuchMessage,),
            ),
        )

    async def all(self, call: Call[PageQuery, None]) -> models.LanePage:
        notes = sorted((await self._book.notes()).items(), key=lambda item: (item[1].name, item[0]))
        shown, place = views.piece(notes, call.query.first, call.query.limit)
        return models.LanePage(lanes=tuple([await self._lane(id_, note) for id_, note in shown]), **place)

    async def one(self, call: Call[NoQuery, None]) -> models.Lane:
        return await self._lane(*await self._find(call.params["lane"]))

    async def _find(self, name: str) -> tuple[bytes, LaneNote]:
        for id_, note in (await self._book.notes()).items():
            if note.name == name:
                return id_, note
        raise NoSuchLane(name)

    async def _lane(self, id_: bytes, note: LaneNote) -> models.Lane:
        ends = self._settings.lanes.get(note.name)
        count = await self._book.count(id_)
        settled = (await self._book.spans(f"settled:{note.name}")).size
        proved = await self._book.proved(id_)
        return models.Lane(
            name=note.name,
            id=id_.hex(),
            source=ends.source if ends else None,
            destination=ends.destination if ends else None,
            paused=note.paused,
            halted=note.halted,
            messages=count,
            attested=proved.count if proved else 0,
            settled=settled,
            backlog=max(0, count - settled),
        )

    async def messages(self, call: Call[PageQuery, None]) -> models.MessagePage:
        id_, note = await self._find(call.params["lane"])
        query = call.query
        found = await self._book.stored(id_, query.first, query.limit + 1)
        shown, place = views.part(found, query.first, query.limit)
        return models.MessagePage(messages=tuple(await self._shown(id_, note, shown)), **place)

    async def message(self, call: Call[NoQuery, None]) -> models.Message:
        id_ = call.params["message"]
        found = await self._book.find(bytes.fromhex(id_))
        notes = await self._book.notes()
        if found is None or found[0] not in notes:
            raise NoSuchMessage("0x" + id_)
        lane, index, _ = found
        (shown,) = await self._shown(lane, notes[lane], await self._book.stored(lane, index, 1))
        return shown

    async def _shown(self, lane: bytes, note: LaneNote, found: Sequence[StoredMessage]) -> list[models.Message]:
        """Messages of one lane with where they are."""
        settled = await self._book.spans(f"settled:{note.name}")
        proved = await self._book.proved(lane)
        flying = Spans((push.first, push.end) for push in await self._book.flying() if push.lane == lane)
        held = await self._book.held_back(lane)

        def state(index: int) -> Literal["final", "attested", "submitted", "settled"]:
            if index in settled:
                return "settled"
            if index in flying:
                return "submitted"
            return "attested" if proved is not None and index < proved.count else "final"

        def each() -> Iterator[models.Message]:
            for one in found:
                until = held.get(one.index)
                yield models.Message(
                    id=one.id.hex(),
                    lane=note.name,
                    index=one.index,
                    height=one.height,
                    sender=one.sender,
                    recipient=one.recipient,
                    gas=one.gas,
                    payload="0x" + one.payload.hex(),
                    state=state(one.index),
                    held_until=until[0] if until else None,
                )

        return list(each())
