"""``db`` and ``doctor``: keeping the database sound, and finding out what is wrong."""

import asyncio
from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.db_upgrade import backup, copy_database, embedding_progress, quarantine, upgrade
from mcp_optimizer.cli.main import DONE, FAILED, Program
from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.domain.reports import CheckReport
from mcp_optimizer.domain.upgrade_report import ReindexReport
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


@click.group()
def db() -> None:
    """The database: upgrade, back up, copy, check, reindex, reembed."""


for command in (upgrade, backup, copy_database, quarantine):
    db.add_command(command)


@db.command("check")
@json_option
@click.pass_obj
def check(program: Program, *, as_json: bool) -> int:
    """Prove that the search tables agree with the core tables, and that the file is sound."""
    report = program.run(lambda service: service.check())
    emit(report, as_json=as_json, text=lambda: describe(report))
    return DONE if report.ok else FAILED


@db.command("reindex")
@json_option
@click.pass_obj
def reindex(program: Program, *, as_json: bool) -> None:
    """Rebuild the search index from the core tables. Only embeddings that are damaged are rebuilt, too."""

    async def work(service: "DataService") -> ReindexReport:
        return await service.reindex(embedding_progress())

    report = program.run(work)
    damaged = f"; {report.damaged} damaged embeddings rebuilt" if report.damaged else ""
    emit(report, as_json=as_json, text=lambda: f"{report.indexed} rows indexed{damaged}")


@db.command("reembed")
@json_option
@click.pass_obj
def reembed(program: Program, *, as_json: bool) -> None:
    """Re-embed everything with the configured model. Searches use the old vectors until all is done.

    When it is stopped, the next one goes on from there.
    """
    from mcp_optimizer.service import DataService

    async def work() -> int:
        return await DataService(program.settings).reembed(embedding_progress())

    embedded = asyncio.run(work())
    model = program.settings.embedding_model_name
    emit(
        {"model": model, "embedded_texts": embedded},
        as_json=as_json,
        text=lambda: f"now searched with {one_line(model)}; {embedded} texts embedded",
    )


@click.command()
@json_option
@click.pass_obj
def doctor(program: Program, *, as_json: bool) -> int:
    """Say what works here and what does not, each with its remedy."""
    from mcp_optimizer.service import DataService

    async def work() -> CheckReport:
        return await DataService(program.settings).doctor()

    report = asyncio.run(work())
    emit(report, as_json=as_json, text=lambda: describe(report))
    return DONE if report.ok else FAILED


def describe(report: CheckReport) -> str:
    """Findings, one a line; what is wrong with its remedy below it."""
    width = max((len(finding.name) for finding in report.findings), default=0)
    text: list[str] = []
    for finding in report.findings:
        mark = "ok   " if finding.ok else "WRONG"
        text.append(f"{mark}  {finding.name:<{width}}  {one_line(finding.detail)}")
        if not finding.ok and finding.remedy:
            text.append(f"       {'':<{width}}  try: {one_line(finding.remedy)}")
    return "\n".join(text)
