"""/v1/lanes and /v1/messages: what the relayer of this configuration has stored; empty where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from relayer.api import models, views
from relayer.api.asks import PageQuery
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.errors import NoSuchLane, NoSuchMessage
from relayer.settings import relay_url
from settlement.spans import Spans
from settlement.store import Store
from settlement.store.messages import LaneNote, MessageBook, StoredMessage

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Lanes:
    """Read only: the relayer's own commands steer it."""

    def __init__(self, daemon: Daemon) -> None:
        self._party = daemon.party

    @asynccontextmanager
    async def _book(self) -> AsyncIterator[MessageBook]:
        """What there is to read, for one answer: a relayer may be set up, and gone, at any time."""
        url = relay_url(self._party.settings)
        if "://" in url or await asyncio.to_thread(Path(url).exists):
            async with await Store.open(url) as store:
                yield store.messages
        else:
            yield self._party.store.messages

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
        async with self._book() as book:
            notes = sorted((await book.notes()).items(), key=lambda item: (item[1].name, item[0]))
            shown, place = views.piece(notes, call.query.first, call.query.limit)
            lanes = [await self._lane(book, id_, note) for id_, note in shown]
        return models.LanePage(lanes=tuple(lanes), **place)

    async def one(self, call: Call[NoQuery, None]) -> models.Lane:
        async with self._book() as book:
            return await self._lane(book, *await _find(book, call.params["lane"]))

    async def _lane(self, book: MessageBook, id_: bytes, note: LaneNote) -> models.Lane:
        ends = self._party.settings.lanes.get(note.name)
        count = await book.count(id_)
        settled = (await book.spans(f"settled:{note.name}")).size
        proved = await book.proved(id_)
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
        query = call.query
        async with self._book() as book:
            id_, note = await _find(book, call.params["lane"])
            found = await book.stored(id_, query.first, query.limit + 1)
            shown, place = views.part(found, query.first, query.limit)
            return models.MessagePage(messages=tuple(await _shown(book, id_, note, shown)), **place)

    async def message(self, call: Call[NoQuery, None]) -> models.Message:
        id_ = call.params["message"]
        async with self._book() as book:
            found = await book.find(bytes.fromhex(id_))
            notes = await book.notes()
            if found is None or found[0] not in notes:
                raise NoSuchMessage("0x" + id_)
            lane, index, _ = found
            (shown,) = await _shown(book, lane, notes[lane], await book.stored(lane, index, 1))
            return shown


async def _find(book: MessageBook, name: str) -> tuple[bytes, LaneNote]:
    for id_, note in (await book.notes()).items():
        if note.name == name:
            return id_, note
    raise NoSuchLane(name)


async def _shown(
    book: MessageBook, lane: bytes, note: LaneNote, found: Sequence[StoredMessage]
) -> list[models.Message]:
    """Messages of one lane with where they are."""
    settled = await book.spans(f"settled:{note.name}")
    proved = await book.proved(lane)
    flying = Spans((push.first, push.end) for push in await book.flying() if push.lane == lane)
    held = await book.held_back(lane)

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
