"""OpenTelemetry, where the environment configures it: the MCP SDK makes a span of every request; here they are sent."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from mcp_optimizer import __version__

log = structlog.get_logger(__name__)

_CONFIGURED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_configured() -> bool:
    """Whether the standard environment variables name where traces go."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in _CONFIGURED_BY)


@contextmanager
def tracing() -> Generator[bool]:
    """Send traces for as long as the block runs; whether any are sent. Without the packages for it that is logged."""
    if not is_configured():
        yield False
        return
    try:
        from opentelemetry import trace  # noqa: PLC0415 (optional: the extra `telemetry`)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        log.warning("no traces are sent: install mcp-optimizer[telemetry]", missing=str(error.name))
        yield False
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": "mcp-optimizer", "service.version": __version__})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield True
    finally:
        provider.shutdown()
