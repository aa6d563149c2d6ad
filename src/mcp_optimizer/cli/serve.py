"""``serve``: the MCP server, polling its sources."""

import sys

import click

from mcp_optimizer.cli.logs import log_as_json, log_for_libraries, log_to_stderr
from mcp_optimizer.cli.main import DONE, Program

TRANSPORTS = ("streamable-http", "stdio")


@click.command()
@click.option(
    "--transport",
    type=click.Choice(TRANSPORTS),
    default="streamable-http",
    show_default=True,
    envvar="MCP_OPTIMIZER_TRANSPORT",
    show_envvar=True,  # some clients keep options of this name for themselves
)
@click.option("--host", metavar="ADDRESS", help="Default: 127.0.0.1. Any other needs a token and allowed hosts.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Default: 9900; 0 takes a free one.")
@click.option("--from", "source", metavar="SOURCE", help="What is polled: toolhive (default), a URL, or a file.")
@click.pass_obj
def serve(program: Program, transport: str, host: str | None, port: int | None, source: str | None) -> int:
    """Serve find_tool, call_tool and friends over MCP, from what is stored; sources are polled beside it.

    Over HTTP it answers at /mcp, /health and /metrics. It needs no ToolHive to start.
    """
    from mcp_optimizer.event_loop import make_loop
    from mcp_optimizer.server.runner import serve_http, serve_stdio
    from mcp_optimizer.server.transport.stdio import leave_now
    from mcp_optimizer.service import DataService

    given = {"mcp_host": host, "mcp_port": port}
    settings = program.with_settings(**{name: value for name, value in given.items() if value is not None}).settings
    level = settings.log_level if "log_level" in settings.model_fields_set else "info"
    (log_to_stderr if sys.stderr.isatty() else log_as_json)(level)
    log_for_libraries()

    async def work() -> int:
        code = DONE
        async with DataService(settings) as service:
            if transport == "stdio":
                code = await serve_stdio(service, source=source)
            else:
                await serve_http(service, source=source, on_ready=_ready)
        if transport == "stdio":  # everything is closed, but a thread may load a model for seconds still
            leave_now(code)
        return code

    return program.run_async(work(), on=make_loop)


def _ready(url: str) -> None:
    click.echo(f"serving MCP at {url}", err=True)


@click.command("learn-process", hidden=True)
@click.pass_obj
def learn_process(program: Program) -> None:
    """Learn for a server that gives its settings over stdin: what `serve` starts when enough is new."""
    from mcp_optimizer.server.learning import run_learning

    log_as_json(program.settings.log_level)
    log_for_libraries()
    run_learning()


@click.command("search-process", hidden=True)
@click.pass_obj
def search_process(program: Program) -> None:
    """Search for a server that is spoken to over stdin and stdout: what `serve` starts while many search at once."""
    from mcp_optimizer.server.workers.worker import run

    log_as_json(program.settings.log_level)
    log_for_libraries()
    run()
