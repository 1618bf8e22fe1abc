"""Traces by OpenTelemetry, where the configuration names who takes them. The libraries are an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version

from htlc.ports import Spans, no_spans
from relayer.errors import MissingExtra
from relayer.settings import TelemetrySettings


@contextmanager
def traced(settings: TelemetrySettings) -> Iterator[Spans]:
    """What a driver notes its steps with; what is noted is sent, in the background, until the end of the block.
    Raises MissingExtra."""
    if not settings.endpoint:
        yield no_spans
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra("telemetry", str(error)) from error
    resource = Resource.create({"service.name": "strikelock", "service.version": version("strikelock")})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    tracer = provider.get_tracer("strikelock")

    def spans(name: str, **attributes: str) -> AbstractContextManager[object]:
        noted = {f"strikelock.{key}": value for key, value in attributes.items()}
        return tracer.start_as_current_span(f"strikelock.{name}", attributes=noted)

    try:
        yield spans
    finally:
        provider.shutdown()
