"""Traces reach a collector that speaks OTLP, and nothing is traced where none is named."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from htlc.ports import no_spans
from relayer.settings import TelemetrySettings
from relayer.telemetry import traced


async def test_steps_are_noted_with_their_deal():
    taken: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/v1/traces", take)])
    async with TestServer(app) as server:
        endpoint = str(server.make_url("/v1/traces"))

        def work() -> None:
            with traced(TelemetrySettings(endpoint=endpoint)) as spans, spans("tick"), spans("act", deal="d1"):
                pass

        await asyncio.wait_for(asyncio.to_thread(work), 30)
    found = {
        s.name: s for one in taken for r in one.resource_spans for scope in r.scope_spans for s in scope.spans
    }
    assert set(found) == {"strikelock.tick", "strikelock.act"}
    assert found["strikelock.act"].parent_span_id == found["strikelock.tick"].span_id
    (attribute,) = found["strikelock.act"].attributes
    assert (attribute.key, attribute.value.string_value) == ("strikelock.deal", "d1")


def test_without_a_collector_nothing_is_loaded():
    with traced(TelemetrySettings()) as spans:
        assert spans is no_spans


@pytest.mark.parametrize("endpoint", ["collector:4318", "file:///x"])
def test_an_endpoint_is_a_url(endpoint):
    with pytest.raises(ValueError, match="endpoint"):
        TelemetrySettings(endpoint=endpoint)
