"""``tui``, ``demo`` and ``simulate-toolhive``: the commands that stay open."""

import asyncio
import difflib
import sys
import tempfile
from pathlib import Path

import click

from mcp_optimizer.cli.logs import keep_logs_off_the_screen
from mcp_optimizer.cli.main import DONE, Program
from mcp_optimizer.cli.output import json_option
from mcp_optimizer.cli.setting_errors import setting_place
from mcp_optimizer.config import Settings, config_file, line_of, state_directory
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.files import user_path
from mcp_optimizer.text import one_line

_DEMO = "demo"
"""Why screens are left that a person wants to see sample data in (``tui.app.Leaving``, which takes long to import)."""

registry_option = click.option("--registry", metavar="FILE", help="A catalog file in place of the sample catalog.")


@click.command()
@click.option("--read-only", is_flag=True, help="Offer nothing that changes the database.")
@click.pass_obj
def tui(program: Program, *, read_only: bool) -> int:
    """Open the terminal UI. Where there is no terminal, print the overview and the relationships."""
    while True:
        code, why = show_screens(program.settings, read_only=read_only)
        if why != _DEMO:
            return code
        demonstrate(program, None, read_only=read_only)


@click.command()
@registry_option
@click.option("--read-only", is_flag=True, help="Offer nothing that changes the database.")
@click.pass_obj
def demo(program: Program, registry: str | None, *, read_only: bool) -> int:
    """Open the terminal UI on sample data: a temporary database, fed by a simulated ToolHive on loopback."""
    return demonstrate(program, registry, read_only=read_only)


def demonstrate(program: Program, registry: str | None, *, read_only: bool) -> int:
    """Show sample data until the screens are left; each time they ask for sample data it is rebuilt."""
    from mcp_optimizer.demo.background import in_background
    from mcp_optimizer.demo.sample import sample_catalog_before
    from mcp_optimizer.demo.simulator import ToolHiveSimulator, load_registry

    code, why = DONE, _DEMO
    given = load_registry(user_path(registry)) if registry else None
    while why == _DEMO:
        click.echo("Preparing the demonstration…", err=True)
        with tempfile.TemporaryDirectory(prefix="mcp-optimizer-demo-") as directory:
            simulator = ToolHiveSimulator(catalog=given or sample_catalog_before())
            with in_background(simulator):
                settings = program.with_settings(
                    db_url=f"sqlite:///{Path(directory) / 'demo.db'}", toolhive_url=simulator.url
                ).settings
                asyncio.run(_fill(settings, simulator, changes=given is None))
                code, why = show_screens(settings, read_only=read_only, remembers=False)
    return code


async def _fill(settings: Settings, simulator: object, *, changes: bool) -> None:
    """Ingest the sample; then let its catalog change and ingest again, so that there is drift to look at."""
    from mcp_optimizer.demo.sample import sample_catalog
    from mcp_optimizer.demo.simulator import ToolHiveSimulator
    from mcp_optimizer.service import DataService

    async with DataService(settings) as service:
        await service.ingest(IngestPart.ALL)
        if changes and isinstance(simulator, ToolHiveSimulator):
            simulator.set_catalog(sample_catalog())
            await service.ingest(IngestPart.ALL, allow_loss=True)


def show_screens(settings: Settings, *, read_only: bool, remembers: bool = True, file: str = "") -> tuple[int, str]:
    """Show the screens until they are left; the exit code, and why. ``file``: what is shown, in the header."""
    from mcp_optimizer.service import DataService

    if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
        from mcp_optimizer.tui.run import run
        from mcp_optimizer.tui.state.log_buffer import LogBuffer

        check_appearance(settings)
        logbook = LogBuffer()
        keep_logs_off_the_screen(logbook.take)
        return run(
            lambda: DataService(settings, read_only=read_only),
            read_only=read_only,
            badges=() if remembers or file else ("DEMO",),
            theme=settings.theme if "theme" in settings.model_fields_set else None,
            keys=settings.keys,
            logbook=logbook,
            state_file=state_directory() / "tui.json" if remembers else None,
            file=file,
        )

    from mcp_optimizer.tui.format.plain import plain_overview

    async def show() -> None:
        async with DataService(settings, read_only=True) as service:
            click.echo((f"{one_line(file)}, read-only\n\n" if file else "") + await plain_overview(service), nl=False)

    asyncio.run(show())
    return DONE, ""


def check_appearance(settings: Settings) -> None:
    """Raise UsageError, naming the line, for a key or a theme of the configuration file that is none."""
    from textual.theme import BUILTIN_THEMES

    from mcp_optimizer.tui.actions import KeyClashError, Keymap
    from mcp_optimizer.tui.format.themes import THEMES

    file = config_file()
    try:
        Keymap(keys=settings.keys)
    except KeyClashError as error:
        line = line_of(file, error.action, within="keys") if file.is_file() else ""
        raise click.UsageError(f"{file}{line}: {error}") from None
    themes = [*(theme.name for theme in THEMES), *BUILTIN_THEMES]
    if settings.theme not in themes:
        near = difflib.get_close_matches(settings.theme, themes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(themes)}"
        where = setting_place("theme", ())
        raise click.UsageError(f"{where}: there is no theme {one_line(settings.theme)!r}; {hint}")


@click.command("simulate-toolhive")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@registry_option
@click.option("--workloads", metavar="FILE", help="A snapshot file whose workloads to simulate.")
@json_option
@click.pass_obj
def simulate_toolhive(
    program: Program, port: int, registry: str | None, workloads: str | None, *, as_json: bool
) -> None:
    """Run only the simulated ToolHive, until interrupted; prints its URL."""
    from mcp_optimizer.demo.simulator import ToolHiveSimulator, load_registry, load_workloads

    simulator = ToolHiveSimulator(
        catalog=load_registry(user_path(registry)) if registry else None,
        workloads=load_workloads(user_path(workloads)) if workloads else None,
        port=port,
    )

    async def serve() -> None:
        async with simulator:
            click.echo(f'{{"url": "{simulator.url}"}}' if as_json else simulator.url)
            await simulator.serve_forever()

    program.run_async(serve())
