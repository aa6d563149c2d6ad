"""``compare``: what differs between two states, as text, JSON or Markdown."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.main import Program
from mcp_optimizer.cli.output import emit, json_option
from mcp_optimizer.text import one_line

if TYPE_CHECKING:
    from mcp_optimizer.domain.history.comparison import Comparison
    from mcp_optimizer.service import DataService

type ReportSection = tuple[str, list[tuple[str, ...]]]
"""A heading, and its rows: a name, and what there is to say of it."""


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", default="now")
@click.option("--markdown", is_flag=True, help="Print Markdown, for an issue or a message.")
@json_option
@click.pass_obj
def compare(program: Program, before: str, after: str, *, markdown: bool, as_json: bool) -> None:
    """Say what differs between A and B: entries and workloads added, removed, re-tagged, renamed, linked, unlinked.

    Each is a snapshot or catalog (file or URL), `now`, `yesterday`, or a time such as 2026-11-27 or 2026-11-27T10:00,
    as far as the change log goes back. B is `now` unless it is given.
    """
    if markdown and as_json:
        raise click.UsageError("give --markdown or --json, not both")

    async def work(service: "DataService") -> "Comparison":
        return await service.compare(before, after)

    comparison = program.run(work, read_only=True)
    emit(comparison, as_json=as_json, text=lambda: as_markdown(comparison) if markdown else as_text(comparison))


def as_text(comparison: "Comparison") -> str:
    """The comparison for a terminal: one item a line."""
    lines = [f"{one_line(comparison.before)} -> {one_line(comparison.after)}"]
    for heading, rows in _sections(comparison):
        lines.append(f"{heading}: {len(rows)}")
        lines += ["  " + "  ".join(map(one_line, row)) for row in rows]
    if comparison.same:
        lines.append("no difference" if _compared(comparison) else "nothing that can be compared")
    lines += [f"not compared: {one_line(limit)}" for limit in comparison.limits]
    return "\n".join(lines)


def as_markdown(comparison: "Comparison") -> str:
    """The comparison as Markdown: a heading and a list for each kind of difference."""
    lines = [f"# {_escaped(comparison.before)} → {_escaped(comparison.after)}"]
    for heading, rows in _sections(comparison):
        lines += ["", f"## {heading.capitalize()} ({len(rows)})", ""]
        lines += [f"- **{_escaped(row[0])}**" + "".join(f" {_escaped(part)}" for part in row[1:]) for row in rows]
    if comparison.same:
        lines += ["", "No difference." if _compared(comparison) else "Nothing that can be compared."]
    if comparison.limits:
        lines += ["", *(f"_Not compared: {_escaped(limit)}._" for limit in comparison.limits)]
    return "\n".join(lines)


def _compared(comparison: "Comparison") -> bool:
    return comparison.registry is not None or comparison.workloads is not None


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<#|!~" else letter for letter in one_line(text))


def _sections(comparison: "Comparison") -> list[ReportSection]:
    """All that differs, kind by kind; kinds without a difference are left out."""
    return [(heading, rows) for heading, rows in (*_registry(comparison), *_workloads(comparison)) if rows]


def _registry(comparison: "Comparison") -> Iterator[ReportSection]:
    result = comparison.registry
    if result is not None:
        yield "entries added", [(item.name, item.identity) for item in result.added]
        yield "entries removed", [(item.name, item.identity) for item in result.removed]
        yield "entries renamed", [(item.before, "->", item.after) for item in result.renamed]
        yield "entries re-tagged", [(item.name, item.before, "->", item.after) for item in result.retagged]
        yield "entries otherwise changed", _names(result.updated)


def _workloads(comparison: "Comparison") -> Iterator[ReportSection]:
    result = comparison.workloads
    if result is not None:
        yield "workloads added", [(item.name, item.identity) for item in result.added]
        yield "workloads removed", [(item.name, item.identity) for item in result.removed]
        yield "workloads changed", [(item.name, item.before, "->", item.after) for item in result.changed]
        yield (
            "linked",
            [
                (link.workload, "to", link.after or "", *(("instead of", link.before) if link.before else ()))
                for link in result.linked
            ],
        )
        yield "unlinked", [(link.workload, "from", link.before or "") for link in result.unlinked]
        yield "drifted", [(item.workload, item.running, "catalog names", item.catalog) for item in result.drifted]
        yield "no longer drifted", _names(result.drift_ended)


def _names(names: Iterable[str]) -> list[tuple[str, ...]]:
    return [(name,) for name in names]
