"""``open``: a snapshot or catalog looked at by itself, in a temporary database."""

import asyncio
import tempfile
from pathlib import Path

import click

from mcp_optimizer.cli.ingest import ingest_progress
from mcp_optimizer.cli.main import Program
from mcp_optimizer.cli.tui import show_screens
from mcp_optimizer.config import Settings
from mcp_optimizer.text import redact_url


@click.command("open")
@click.argument("file")
@click.pass_obj
def open_file(program: Program, file: str) -> int:
    """Open the terminal UI on a snapshot or catalog (file or URL), read-only; your own database is not touched.

    No MCP server that it names is asked for anything. Where there is no terminal, print the overview and the
    relationships.
    """
    with tempfile.TemporaryDirectory(prefix="mcp-optimizer-open-") as directory:
        settings = program.with_settings(db_url=f"sqlite:///{Path(directory) / 'opened.db'}").settings
        asyncio.run(_fill(settings, file))
        code, _ = show_screens(settings, read_only=True, remembers=False, file=_label(file))
    return code


async def _fill(settings: Settings, file: str) -> None:
    from mcp_optimizer.service import DataService

    async with DataService(settings) as service:
        with ingest_progress() as on_progress:
            await service.ingest_document(file, on_progress=on_progress)


def _label(file: str) -> str:
    """What stands in the header: the file's name, or the URL without what may be secret."""
    return redact_url(file) if "://" in file else Path(file).name
