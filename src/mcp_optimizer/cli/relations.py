"""``workload rematch | link | unlink`` and ``registry resolve``: relations changed by hand."""

from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.confirm import confirmed, dry_run_option, yes_option
from mcp_optimizer.cli.main import DONE, PARTLY, Program
from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.cli.registry import registry
from mcp_optimizer.cli.workloads import workload
from mcp_optimizer.domain.reports import RelationReport, ResolutionReport
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_optimizer.service import DataService


@workload.command("rematch")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--all", "everything", is_flag=True, help="All workloads but those a person linked or unlinked.")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def rematch(
    program: Program, names: tuple[str, ...], *, everything: bool, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Match workloads again. Where nothing matches, a workload keeps what it has."""
    if bool(names) == everything:
        raise click.UsageError("name workloads, or give --all")
    target = None if everything else names
    return _change(program, lambda service, dry: service.rematch(target, dry_run=dry), dry_run, yes, as_json=as_json)


@workload.command("link")
@click.argument("name")
@click.argument("registry_server")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def link(program: Program, name: str, registry_server: str, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Tie a workload to a registry server of its kind (given by name, identity or id)."""
    return _change(
        program, lambda service, dry: service.link(name, registry_server, dry_run=dry), dry_run, yes, as_json=as_json
    )


@workload.command("unlink")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def unlink(program: Program, names: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Make workloads autonomous, until they are linked again or re-matched by name."""
    return _change(program, lambda service, dry: service.unlink(names, dry_run=dry), dry_run, yes, as_json=as_json)


def _change(
    program: Program,
    change: "Callable[[DataService, bool], Awaitable[RelationReport]]",
    dry_run: bool,
    yes: bool,
    *,
    as_json: bool,
) -> int:
    async def work(service: "DataService") -> RelationReport:
        report = await change(service, True)
        if not dry_run and (report.linked or report.unlinked):
            confirmed(f"{describe_relations(report)}\nDo it?", yes=yes)
            report = await change(service, False)
        elif not dry_run:
            report = report.model_copy(update={"dry_run": False})
        return report

    report = program.run(work)
    emit(report, as_json=as_json, text=lambda: describe_relations(report))
    return PARTLY if report.partial else DONE


def describe_relations(report: RelationReport) -> str:
    """Changed relations in words, one a line."""
    would = "would be " if report.dry_run else ""
    lines = [
        f"{one_line(link.workload)}  {would}linked to {one_line(link.registry_server)}"
        + (f", was linked to {one_line(link.before)}" if link.before else "")
        for link in report.linked
    ]
    lines += [f"{one_line(name)}  {would}autonomous" for name in report.unlinked]
    lines += [f"{one_line(item.name)}  unchanged: it {one_line(item.reason)}" for item in report.unchanged]
    lines += [f"{one_line(item.name)}  rejected: {one_line(item.reason)}" for item in report.rejected]
    lines.append(f"{report.reembedded_texts} tools {would}re-embedded")
    return "\n".join(lines)


@registry.command("resolve")
@click.argument("identity")
@click.argument("name")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def resolve(program: Program, identity: str, name: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Choose the entry NAME among those that claim IDENTITY. The choice survives re-ingestion."""

    async def work(service: "DataService") -> ResolutionReport:
        report = await service.resolve(identity, name, dry_run=True)
        if not dry_run:
            confirmed(f"{describe_resolution(report)}\nDo it?", yes=yes)
            report = await service.resolve(identity, name)
        return report

    report = program.run(work)
    emit(report, as_json=as_json, text=lambda: describe_resolution(report))


def describe_resolution(report: ResolutionReport) -> str:
    """A choice and what follows from it, in words."""
    others = ", ".join(one_line(name) for name in report.names if name != report.chosen)
    verb = "Would choose" if report.dry_run else "Chose"
    lines = [f"{verb} {one_line(report.chosen)} for {one_line(report.identity)}, not {others}"]
    if report.renamed_from:
        lines.append(f"  {one_line(report.renamed_from)} stood for it until now")
    if report.context_renamed:
        lines.append(f"  these workloads follow: {', '.join(map(one_line, report.context_renamed))}")
    if report.admitted:
        lines.append(f"  taken in, as the duplicate is resolved: {', '.join(map(one_line, report.admitted))}")
    if report.left_waiting:
        lines.append(f"  the next `ingest workloads` takes in: {', '.join(map(one_line, report.left_waiting))}")
    lines.append(f"  {report.reembedded_texts} tools re-embedded")
    return "\n".join(lines)
