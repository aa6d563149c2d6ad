"""``workload``: what runs, and why it inherits from the entry it does."""

from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.confirm import confirmed, dry_run_option, yes_option
from mcp_optimizer.cli.delete import describe_deletion
from mcp_optimizer.cli.main import Program
from mcp_optimizer.cli.output import emit, facts, json_option, table
from mcp_optimizer.domain.difference import Pieces, mark_difference, underline
from mcp_optimizer.domain.matching import Explanation
from mcp_optimizer.text import lines, one_line, shorten

if TYPE_CHECKING:
    from mcp_optimizer.domain.reports import AcceptReport
    from mcp_optimizer.domain.tools.definitions import DefinitionChange
    from mcp_optimizer.domain.views import ChangeView, ToolView, WorkloadDetail, WorkloadView
    from mcp_optimizer.service import DataService


@click.group()
def workload() -> None:
    """What runs: workloads and the registry server each inherits from."""


@workload.command("list")
@json_option
@click.pass_obj
def list_workloads(program: Program, *, as_json: bool) -> None:
    """List all workloads, rejected and unidentified ones included."""
    result = program.run(lambda service: service.workloads())
    columns = ("NAME", "STATUS", "RELATION", "REGISTRY SERVER", "DRIFT", "TOOLS", "GROUP", "IDENTITY")
    rows = [
        (
            w.name,
            w.status,
            _relation(w),
            w.registry_server,
            "drifted" if w.drift else "",
            w.tools,
            w.group,
            w.identity or w.problem,
        )
        for w in result
    ]
    empty = "No workloads. Start ToolHive and run `ingest workloads`."
    emit(result, as_json=as_json, text=lambda: table(columns, rows, empty=empty))


def _relation(view: "WorkloadView") -> str:
    return f"{view.relation} (linkable)" if view.linkable_to else view.relation


@workload.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_workload(program: Program, name: str, *, as_json: bool) -> None:
    """Show one workload."""
    result = program.run(lambda service: service.workload(name))
    emit(result, as_json=as_json, text=lambda: _describe(result))


@workload.command("explain")
@click.argument("name")
@json_option
@click.pass_obj
def explain_workload(program: Program, name: str, *, as_json: bool) -> None:
    """Say why a workload inherits from the entry it does, or from none, and which entries it nearly matched."""
    explanation = program.run(lambda service: service.explain(name))
    emit(explanation, as_json=as_json, text=lambda: describe_explanation(explanation))


@workload.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def delete_workloads(program: Program, names: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete workloads from this database."""

    async def work(service: "DataService") -> None:
        report = await service.delete_workloads(names, dry_run=True)
        if not dry_run:
            confirmed(f"{describe_deletion(report)}\nDelete?", yes=yes)
            report = await service.delete_workloads(names)
        emit(report, as_json=as_json, text=lambda: describe_deletion(report))

    program.run(work)


@workload.command("accept")
@click.argument("name")
@click.argument("tools", nargs=-1, metavar="[TOOL…]")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def accept_definitions(
    program: Program, name: str, tools: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Accept what the tools of a workload now say of themselves, or of these TOOLs: it counts as first seen."""

    async def work(service: "DataService") -> "AcceptReport":
        report = await service.accept(name, tools or None, dry_run=True)
        if not dry_run and report.accepted:
            confirmed(f"{describe_acceptance(report)}\nAccept?", yes=yes)
            return await service.accept(name, tools or None)
        return report.model_copy(update={"dry_run": dry_run})

    report = program.run(work)
    emit(report, as_json=as_json, text=lambda: describe_acceptance(report))


def describe_acceptance(report: "AcceptReport") -> str:
    """What is accepted, in words: each tool with what changed."""
    if not report.accepted:
        return f"{one_line(report.workload)}: no definition changed since first seen"
    would = "would be accepted" if report.dry_run else "accepted"
    text = [f"{one_line(report.workload)}: {len(report.accepted)} changed definitions {would}"]
    for change in report.accepted:
        text += [f"  {one_line(change.tool)}", *_changed(change)]
    return "\n".join(text)


def _changed(change: "DefinitionChange") -> list[str]:
    """What changed in a definition: the members, then the words of the description."""
    text = [f"    ! {one_line(change.summary)}"]
    for words in change.words:
        before, after = (
            f'"{shorten(one_line(part), 300)}"' if part else "nothing" for part in (words.before, words.after)
        )
        text.append(f"      description: {before} became {after}")
    return text


def _tool(tool: "ToolView") -> list[str]:
    text = [f"  {one_line(tool.name)}  {lines(tool.description)[0]}".rstrip()]
    if tool.change is not None:
        text += _changed(tool.change)
    if tool.invisible:
        text.append(f"    ! invisible characters: {', '.join(map(one_line, tool.invisible))}")
    return text


def describe_explanation(explanation: Explanation) -> str:
    """An explanation in words: verdict, steps, and each near miss with the difference marked below it."""
    whose = f"inherits from {explanation.registry_server}" if explanation.registry_server else "inherits from nothing"
    text = [f"{one_line(explanation.workload)} is {explanation.verdict}: it {one_line(whose)}", ""]
    width = max((len(step.step) for step in explanation.steps), default=0)
    outcomes = max((len(step.outcome) for step in explanation.steps), default=0)
    text += [
        f"  {step.step:<{width}}  {step.outcome:<{outcomes}}  {one_line(step.detail)}" for step in explanation.steps
    ]
    if explanation.disagreement:
        text += ["", f"But {one_line(explanation.disagreement)}"]
    if explanation.history:
        text += ["", "History:"]
        text += [f"  {change.at}  {_happened(change)}" for change in explanation.history]
    if explanation.near_misses:
        text += ["", "Near misses, strongest first:"]
    for miss in explanation.near_misses:
        running, catalog = mark_difference(one_line(miss.running), one_line(miss.catalog))
        text += ["", f"  {one_line(miss.registry_server)}  ({miss.reason})"]
        text += [f"    {one_line(miss.detail)}"] if miss.detail else []
        text += _marked("running", running) + _marked("catalog", catalog)
    return "\n".join(text)


def _happened(change: "ChangeView") -> str:
    """One line of a relation's history in words: what, why, and whether an ingestion or a person did it."""
    what = " ".join(part for part in (change.operation, one_line(change.detail)) if part)
    who = f"ingestion {change.run_id[:8]}" if change.run_id else "by hand"
    return f"{what} ({change.cause}, {who})"


def _marked(label: str, pieces: Pieces) -> list[str]:
    marks = underline(pieces)
    line = f"    {label}  {''.join(piece.text for piece in pieces)}"
    return [line, f"    {' ' * len(label)}  {marks}"] if marks else [line]


def _describe(found: "WorkloadDetail") -> str:
    drift = f"runs {found.drift.running}, the catalog names {found.drift.catalog}" if found.drift else None
    evidence = found.evidence
    text = facts(
        [
            ("name", found.name),
            ("status", found.status),
            ("reason", found.status_reason),
            ("kind", found.kind),
            ("identity", found.identity),
            ("endpoint", found.endpoint),
            ("transport", found.transport),
            ("group", found.group),
            ("relation", _relation(found)),
            ("registry server", found.registry_server),
            ("its status", found.registry_server_status),
            ("since", found.relation_changed_at),
            ("cause", found.relation_cause),
            ("drift", drift),
            ("linkable to", found.linkable_to),
            ("recorded provenance", evidence.recorded_registry_server),
            ("image label", evidence.image_label),
            ("context name", found.context_name),
            ("problem", found.problem),
            ("suspicious", found.suspicious if found.suspicious != found.problem else None),
            ("updated", found.updated_at),
        ]
    )
    description = [f"description ({found.description_source}):", *(f"  {line}" for line in lines(found.description))]
    tools = [line for tool in found.tool_list for line in _tool(tool)]
    difference = found.tool_difference
    differs = []
    if difference and difference.only_live:
        differs.append(f"only live: {', '.join(map(one_line, difference.only_live))}")
    if difference and difference.only_catalog:
        differs.append(f"only in the catalog: {', '.join(map(one_line, difference.only_catalog))}")
    return "\n".join([text, "", *description, "", f"{found.tools} tools, {found.tokens} tokens", *tools, *differs])
