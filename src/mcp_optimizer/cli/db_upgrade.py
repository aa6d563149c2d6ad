"""``db upgrade``, ``db backup``, ``db copy``, ``db quarantine``: nothing of an older database gets lost."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.main import DONE, PARTLY, Program
from mcp_optimizer.cli.output import emit, json_option, plain, table
from mcp_optimizer.domain.upgrade_report import BackupReport, CopyReport, QuarantinedContent, UpgradeReport
from mcp_optimizer.files import user_path
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done; the database is not touched.")
@json_option
@click.pass_obj
def upgrade(program: Program, *, dry_run: bool, as_json: bool) -> int:
    """Bring the database to the program's revision. Every command does so by itself; this one says what it did.

    A database of the older program is converted, after a verified copy of it was put beside it.
    """
    from mcp_optimizer.service import DataService

    async def work() -> UpgradeReport:
        return await DataService(program.settings).upgrade(dry_run=dry_run, on_progress=embedding_progress())

    report = asyncio.run(work())
    emit(report, as_json=as_json, text=lambda: describe_upgrade(report))
    return PARTLY if report.partial else DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(program: Program, *, file: Path, as_json: bool) -> None:
    """Copy the database to FILE, which must not be there yet, and compare the two table by table.

    To restore it, name it: --db sqlite:///FILE; or put it where the database was, while no program uses that.
    """
    from mcp_optimizer.service import DataService

    async def work() -> BackupReport:
        return await DataService(program.settings).backup(user_path(str(file)))

    report = asyncio.run(work())
    emit(report, as_json=as_json, text=lambda: describe_backup(report))


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
@click.pass_obj
def copy_database(program: Program, *, source: str, target: str, as_json: bool) -> None:
    """Copy everything from one database to another that is empty, and compare table by table.

    FROM and TO are URLs: sqlite:///PATH or postgresql://USER@HOST/DATABASE. When it is stopped, TO is still empty.
    """
    from mcp_optimizer.service import DataService

    async def work() -> CopyReport:
        return await DataService(program.with_settings(db_url=source).settings).copy_to(target)

    report = program.run_async(work())
    emit(report, as_json=as_json, text=lambda: describe_copy(report))


@click.command()
@json_option
@click.pass_obj
def quarantine(program: Program, *, as_json: bool) -> None:
    """Show the rows of an older database that had no place; --json gives them whole."""

    async def work(service: "DataService") -> list[QuarantinedContent]:
        return await service.quarantined()

    result = program.run(work)
    if as_json:
        rows = [{**plain(row), "row": json.loads(row.row)} for row in result]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        shown = [(row.table, row.name, row.reason) for row in result]
        click.echo(table(("FROM", "NAME", "WHY"), shown, empty="nothing is in quarantine"))


def embedding_progress() -> Callable[[int, int], None]:
    """Tells on stderr how many texts are embedded: as it goes where that is a terminal, else at the end."""
    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shown or done == total:
            click.echo(f"{done} of {total} texts embedded", err=True, nl=not shown)
            click.echo("\r" if shown else "", err=True, nl=False)

    return progress


def describe_backup(report: BackupReport) -> str:
    """A backup in words."""
    return f"{report.file}: {report.tables} tables, {report.rows} rows, compared and the same"


def describe_copy(report: CopyReport) -> str:
    """A copy in words."""
    text = [f"  {one_line(table.table)}: {table.rows} rows" for table in report.tables if table.rows]
    return "\n".join([f"{report.rows} rows copied to {report.target}, compared and the same", *text])


def describe_upgrade(report: UpgradeReport) -> str:
    """What an upgrade did, or would do, with every row accounted for."""
    if not report.done:
        return "already up to date"
    text = [("would " if report.dry_run else "") + step for step in report.done]
    if report.backup is not None:
        text.append(f"backup: {describe_backup(report.backup)}")
    elif report.shape == "earlier revision" and not report.dry_run:
        text.append("no copy was made: it is no file; its server has its own means (pg_dump)")
    for count in report.counts:
        parts = [f"{count.placed} placed"]
        parts += [f"{count.shared} as duplicates of another"] if count.shared else []
        parts += [f"{count.quarantined} in quarantine"] if count.quarantined else []
        text.append(f"  {count.table}: {count.rows} rows, {', '.join(parts)}")
    if report.counts:
        verb = "to be embedded" if report.dry_run else "embedded"
        text.append(
            f"  workloads: {report.linked} linked, {report.autonomous} autonomous; {report.embedded_texts} texts {verb}"
        )
    text += [f"  {one_line(note.name)}: {one_line(note.reason)}" for note in report.notes]
    if report.quarantined:
        text.append("in quarantine (`mcp-optimizer db quarantine` shows them):")
        text += [f"  {row.table} {one_line(row.name) or row.id}: {one_line(row.reason)}" for row in report.quarantined]
    return "\n".join(text)
