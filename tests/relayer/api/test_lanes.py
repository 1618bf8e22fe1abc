"""Lanes and messages of the relayer that stands beside a party."""

from __future__ import annotations

from relayer.settings import relay_url
from settlement.spans import Spans
from settlement.store import Store
from tests.relayer.api.served import served
from tests.settlement.test_store_messages import LANE, message


async def read(api, path: str) -> dict:
    response = await api.read(path)
    assert response.status == 200, await response.text()
    return await response.json()


async def test_what_the_relayer_has_stored_is_read_while_it_runs(tmp_path):
    async with served(tmp_path) as api:
        assert (await read(api, "/v1/lanes"))["lanes"] == []
        async with await Store.open(relay_url(api.daemon.settings), drive=True) as relayer:
            book = relayer.messages
            await book.open_lane(LANE, "there")
            await book.share([LANE.id])
            await book.add(LANE.id, [(100 + n, message(n)) for n in range(3)], {}, "searched:there", Spans())
            await book.put_progress(LANE.id, "settled:there", Spans([(0, 1)]))
            (lane,) = (await read(api, "/v1/lanes"))["lanes"]
            assert (lane["name"], lane["messages"], lane["settled"], lane["backlog"]) == ("there", 3, 1, 2)
            assert await read(api, "/v1/lanes/there") == lane
            messages = (await read(api, "/v1/lanes/there/messages"))["messages"]
            assert [(one["index"], one["state"]) for one in messages] == [
                (0, "settled"),
                (1, "final"),
                (2, "final"),
            ]
            assert await read(api, f"/v1/messages/{messages[2]['id']}") == messages[2]
        assert (await api.read("/v1/lanes/nowhere")).status == 404
