"""``ingest``: bring the database up to date with a catalog and with what runs."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from mcp_optimizer.cli.confirm import can_ask, dry_run_option, yes_option
from mcp_optimizer.cli.main import DONE, FAILED, PARTLY, Program, say_error
from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.domain.loss import LargeLossError, Loss
from mcp_optimizer.domain.progress import IngestProgressCallback
from mcp_optimizer.domain.reports import IngestPart, IngestProgress, IngestReport, RegistryReport, listed_names
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


_MAX_NAMES: Final = 20


@click.command()
@click.argument("part", type=click.Choice([part.value for part in IngestPart]))
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="toolhive|kubernetes|URL|FILE",
    help="Where from; may be given several times, each is ingested in turn. "
    "Default: toolhive, or kubernetes where the runtime mode is k8s.",
)
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def ingest(program: Program, part: str, sources: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Ingest the registry, the workloads, or all (the registry first).

    What would remove more than a fifth of the entries (or, of a file, of the workloads), or end more than a tenth of
    the links, is asked about first; without a terminal it is refused, unless --yes is given. Leaves with 3 when some
    items were rejected, skipped or failed, or half of a source could not be read: they are in the output.
    """
    reports: list[IngestReport] = []

    async def work(service: "DataService") -> OptimizerError | None:
        async def once(source: str | None, allow_loss: bool | Loss) -> None:
            with ingest_progress() as on_progress:
                reports.extend(
                    await service.ingest(
                        IngestPart(part), [source], dry_run=dry_run, allow_loss=allow_loss, on_progress=on_progress
                    )
                )

        for source in sources or (None,):
            try:
                try:
                    await once(source, yes)
                except LargeLossError as error:
                    if not _agreed(error):
                        return error
                    await once(source, error.loss)
            except OptimizerError as error:
                return error
        return None

    error = program.run(work)
    if reports:
        value = reports if len(sources) > 1 else reports[0]
        emit(value, as_json=as_json, text=lambda: "\n".join(map(describe, reports)))
    if error is not None:
        say_error(error)
        return PARTLY if reports and not dry_run else FAILED
    return PARTLY if any(report.partial for report in reports) else DONE


def _agreed(error: LargeLossError) -> bool:
    """Show what would be lost and ask; without a terminal the answer is no (C9)."""
    click.echo(describe(error.report), err=True)
    return can_ask() and click.confirm(f"This would {error.loss.words}. Do it?", err=True)


def describe(report: IngestReport) -> str:
    """A report in words, problems one a line."""
    head = "would be: " if report.dry_run else ""
    lines = [f"{one_line(report.source)}: {head}{report.summary}"]
    if report.loss and report.loss.needs_yes:
        lines += [f"  removes    {one_line(name)}" for name in report.loss.removed]
        lines += [f"  deletes    {one_line(name)}" for name in report.loss.deleted]
        lines += [f"  unlinks    {one_line(name)}" for name in report.loss.ended]
    if report.registry:
        for duplicate in report.registry.duplicates:
            names = " and ".join(map(one_line, duplicate.names))
            if duplicate.chosen in duplicate.names:
                resolved = f"{one_line(duplicate.chosen or '')} is the entry for {one_line(duplicate.identity)}"
                lines.append(f"  resolved   {resolved}, not the other of {names}")
            else:
                lines.append(f"  duplicate  {one_line(duplicate.identity)} is claimed by {names}")
        lines += _registry_lines(report.registry)
    if report.workloads:
        lines += [f"  rejected   {one_line(item.name)}: {one_line(item.reason)}" for item in report.workloads.rejected]
        lines += [f"  failed     {one_line(item.name)}: {one_line(item.reason)}" for item in report.workloads.failed]
        unidentified = f", {report.workloads.unidentified} unidentified" if report.workloads.unidentified else ""
        lines.append(f"  {report.workloads.linked} linked, {report.workloads.autonomous} autonomous{unidentified}")
    lines.append(f"  {report.embedded_texts} texts embedded, {report.seconds:.1f} s")
    return "\n".join(lines)


def _registry_lines(report: RegistryReport) -> list[str]:
    """What was skipped, by reason, and what is removed, with the workloads that lose their link by it."""
    lines = [f"  skipped    {one_line(group.subject)}: {one_line(group.told())}" for group in report.skipped_by_reason]
    if report.removed_names:
        lines.append(f"  removed    {one_line(listed_names(report.removed_names))}")
    if report.unlinked:
        lines.append(f"  unlinked   {one_line(listed_names(report.unlinked))}")
    if report.admitted:
        lines.append(f"  taken in   {one_line(listed_names(report.admitted))}")
    return lines


@contextmanager
def ingest_progress() -> Generator[IngestProgressCallback]:
    """Progress on stderr when that is a terminal; nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: IngestProgress) -> None:
            detail = f" {progress.detail}" if progress.detail else ""
            description = escape(one_line(f"{progress.phase}{detail}"))
            bar.update(task, description=description, finalize=progress.done, total=progress.total or None)

        yield show
