"""``db`` and ``doctor``: keeping the database sound, and finding out what is wrong."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.cli.program import DONE, FAILED, Program
from mcp_optimizer.domain.reports import CheckReport
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


@click.group()
def db() -> None:
    """The database: upgrade, check, reindex, reembed."""


@db.command("upgrade")
@json_option
@click.pass_obj
def upgrade(program: Program, *, as_json: bool) -> None:
    """Bring the database to the program's revision. Every command does so by itself; this one says what it did."""
    from mcp_optimizer.service import DataService

    async def work() -> list[str]:
        service = DataService(program.settings)
        done = await service.open()
        await service.close()
        return done

    done = asyncio.run(work())
    emit({"done": done}, as_json=as_json, text=lambda: "\n".join(done) or "already up to date")


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
    """Make the search tables anew from the core tables. Embeds nothing."""

    async def work(service: "DataService") -> int:
        return await service.reindex()

    indexed = program.run(work)
    emit({"indexed": indexed}, as_json=as_json, text=lambda: f"{indexed} rows indexed")


@db.command("reembed")
@json_option
@click.pass_obj
def reembed(program: Program, *, as_json: bool) -> None:
    """Embed everything anew with the configured model. Searches use the old vectors until all is done.

    When it is stopped, the next one goes on from there.
    """
    from mcp_optimizer.service import DataService

    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shown or done == total:
            click.echo(f"{done} of {total} texts embedded", err=True, nl=not shown)
            click.echo("\r" if shown else "", err=True, nl=False)

    async def work() -> int:
        return await DataService(program.settings).reembed(progress)

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
    said: list[str] = []
    for finding in report.findings:
        mark = "ok   " if finding.ok else "WRONG"
        said.append(f"{mark}  {finding.name:<{width}}  {one_line(finding.detail)}")
        if not finding.ok and finding.remedy:
            said.append(f"       {'':<{width}}  try: {one_line(finding.remedy)}")
    return "\n".join(said)
