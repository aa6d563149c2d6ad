"""``snapshot``: what is stored, as a file for another person."""

from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.main import Program
from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.files import user_path
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.domain.reports import SnapshotReport
    from mcp_optimizer.service import DataService


@click.group()
def snapshot() -> None:
    """The whole state as a file; `open FILE` shows one by itself."""


@snapshot.command("export")
@click.argument("file")
@json_option
@click.pass_obj
def export(program: Program, file: str, *, as_json: bool) -> None:
    """Write catalog, workloads, tools and relations to FILE. Nothing secret is in it."""

    async def work(service: "DataService") -> "SnapshotReport":
        return await service.export_snapshot(user_path(file))

    report = program.run(work, read_only=True)
    emit(
        report,
        as_json=as_json,
        text=lambda: (
            f"{one_line(report.file)}: {report.registry_servers} registry servers, {report.workloads} workloads, "
            f"{report.tools} tools"
        ),
    )
