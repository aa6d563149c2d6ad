"""OpenTelemetry, where the environment configures it: a collector on loopback gets the spans of requests."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.server_process import ServerProcess, server_environment
from tests.support.serving import client_of

pytestmark = pytest.mark.sqlite


class Collector:
    """What an OTLP collector was sent over HTTP."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what is posted, on one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split()[0])
                body = await reader.readexactly(length)
                body = gzip.decompress(body) if "content-encoding: gzip" in head else body
                assert head.startswith("post /v1/traces ")
                self.requests.append(ExportTraceServiceRequest.FromString(body))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def collector() -> AsyncGenerator[Collector]:
    """A collector on a free port."""
    made = Collector()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def test_a_collector_gets_a_span_of_each_request(tmp_path: Path, model_cache: Path) -> None:
    async with collector() as collected:
        environment = server_environment(tmp_path, model_cache, startup_polling_delay="1000")
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collected.url
        async with ServerProcess(tmp_path / "traced.db", environment) as server, client_of(server.url) as client:
            assert not (await client.call_tool("list_tools", {})).is_error
        (resource,) = {
            tuple(sorted((item.key, item.value.string_value) for item in spans.resource.attributes))
            for request in collected.requests
            for spans in request.resource_spans
        }
        assert dict(resource)["service.name"] == "mcp-optimizer"
        spans = [
            span
            for request in collected.requests
            for spans in request.resource_spans
            for scope in spans.scope_spans
            for span in scope.spans
        ]
        said = [span.name + "".join(item.value.string_value for item in span.attributes) for span in spans]
        assert any("tools/call" in text and "list_tools" in text for text in said), said


async def test_nothing_is_sent_where_nothing_is_configured(tmp_path: Path, model_cache: Path) -> None:
    async with collector() as collected:
        environment = server_environment(tmp_path, model_cache, startup_polling_delay="1000")
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url, "OTEL_SDK_DISABLED": "true"}
        async with ServerProcess(tmp_path / "untraced.db", environment) as server, client_of(server.url) as client:
            await client.call_tool("list_tools", {})
        assert collected.requests == []
