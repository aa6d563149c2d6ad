"""``serve``: the MCP server, polling its sources."""

import sys

import click
from pydantic import ValidationError

from mcp_optimizer.cli.logs import log_as_json
from mcp_optimizer.cli.program import Program
from mcp_optimizer.config import Settings

TRANSPORTS = ("streamable-http", "stdio")


@click.command()
@click.option("--transport", type=click.Choice(TRANSPORTS), default="streamable-http", show_default=True)
@click.option("--host", metavar="ADDRESS", help="Default: 127.0.0.1. Any other needs a token and allowed hosts.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Default: 9900; 0 takes a free one.")
@click.option("--from", "source", metavar="SOURCE", help="What is polled: toolhive (default), a URL, or a file.")
@click.pass_obj
def serve(program: Program, transport: str, host: str | None, port: int | None, source: str | None) -> None:
    """Serve find_tool, call_tool and friends over MCP, from what is stored; sources are polled beside it.

    Over HTTP it answers at /mcp, /health and /metrics. It needs no ToolHive to start.
    """
    from mcp_optimizer.server.running import serve_http, serve_stdio
    from mcp_optimizer.service import DataService

    settings = _with(program.settings, mcp_host=host, mcp_port=port)
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "info"})
    if not sys.stderr.isatty():
        log_as_json(settings.log_level)

    async def work() -> None:
        async with DataService(settings) as service:
            if transport == "stdio":
                await serve_stdio(service, source=source)
            else:
                await serve_http(service, source=source, on_ready=_ready)

    program.run_async(work())


def _ready(url: str) -> None:
    click.echo(f"serving MCP at {url}", err=True)


def _with(settings: Settings, **given: object) -> Settings:
    """The settings with options that were given; checked as any setting is."""
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return settings.model_copy(update=Settings(**chosen).model_dump(include=set(chosen)))  # ty: ignore
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"]) from None
