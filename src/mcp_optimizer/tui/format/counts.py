"""The numbers of the overview, each with the list it leads to. Pure."""

from dataclasses import dataclass

from mcp_optimizer.domain.views import Overview
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.filter import quoted
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Target
from mcp_optimizer.tui.renderers.states import status_cell

_BAR = 20


@dataclass(frozen=True, slots=True)
class Fact:
    """A number with its meaning and the list behind it."""

    key: str
    label: str
    number: int
    note: str = ""
    tone: Tone = Tone.PLAIN
    target: Target | None = None
    indent: int = 0


def facts(overview: Overview) -> list[Fact]:
    """Every number of the overview, most important first."""
    kinds = ", ".join(f"{count(number)} {kind}" for kind, number in sorted(overview.registry_by_kind.items()))
    tools = f"{count(overview.registry_tools)} tools" + (f"; {kinds}" if kinds else "")
    running = f"{count(overview.workload_tools)} tools, {count(overview.workload_tokens)} tokens"
    return [
        Fact("registry", "Registry servers", overview.registry_servers, tools, Tone.STRONG, _registry("")),
        _alarm(
            "duplicates",
            "! duplicates",
            overview.duplicates,
            "one identity, several entries",
            _registry("is:duplicate"),
        ),
        Fact("workloads", "Workloads", overview.workloads, running, Tone.STRONG, _workloads("")),
        *_statuses(overview),
        Fact(
            "relations",
            "Relations",
            overview.workloads,
            "to the catalog",
            Tone.STRONG,
            Target(Area.RELATIONSHIPS, None, ""),
        ),
        *_relations(overview),
        _alarm(
            "suspicious",
            "! suspicious tools",
            overview.suspicious,
            "changed, or hidden text",
            _workloads("is:suspicious"),
        ),
        _serving(overview),
    ]


def _serving(overview: Overview) -> Fact:
    """Whether agents can ask this database, and where."""
    target = Target(Area.ACTIVITY, "servers")
    if not overview.servers:
        return Fact("serving", "○ MCP server", 0, "none: mcp-optimizer serve", Tone.MUTED, target)
    addresses = ", ".join(server.address for server in overview.servers)
    return Fact("serving", "● MCP server", len(overview.servers), addresses, Tone.GOOD, target)


def _registry(filter_text: str) -> Target:
    return Target(Area.REGISTRY, None, filter_text)


def _workloads(filter_text: str) -> Target:
    return Target(Area.WORKLOADS, None, filter_text)


def _statuses(overview: Overview) -> list[Fact]:
    ordered = sorted(overview.workloads_by_status.items(), key=lambda item: (item[0] != "running", item[0]))
    facts_of = []
    for status, number in ordered:
        cell = status_cell(status)
        target = _workloads(f"status:={quoted(status)}")
        facts_of.append(
            Fact(f"status:{status}", cell.text, number, bar(number, overview.workloads), cell.tone, target, 1)
        )
    return facts_of


def _relations(overview: Overview) -> list[Fact]:
    linked, autonomous = overview.linked, overview.autonomous
    whole = overview.workloads
    return [
        Fact("linked", "✓ linked", linked, bar(linked, whole), Tone.GOOD, _workloads("relation:linked"), 1),
        _alarm("drifted", "≠ drifted", overview.drifted, "run something else", _workloads("is:drifted"), 2),
        Fact(
            "autonomous",
            "○ autonomous",
            autonomous,
            bar(autonomous, whole),
            Tone.PLAIN,
            _workloads("relation:autonomous"),
            1,
        ),
        _alarm("linkable", "+ linkable", overview.linkable, "the catalog has it now", _workloads("is:linkable"), 2),
        _alarm(
            "rejected", "✗ rejected", overview.rejected, "several entries claim it", _workloads("relation:rejected")
        ),
        *(
            [
                _alarm(
                    "unidentified",
                    "? unidentified",
                    overview.unidentified,
                    "what they are can't be told",
                    _workloads("relation:unidentified"),
                )
            ]
            if overview.unidentified
            else []
        ),
    ]


def _alarm(key: str, label: str, number: int, note: str, target: Target, indent: int = 1) -> Fact:
    """A number that is best when it is 0."""
    tone = Tone.WARN if number else Tone.MUTED
    return Fact(key, label, number, note if number else "", tone, target, indent)


def bar(number: int, whole: int) -> str:
    """A share as a bar and per cent."""
    if whole <= 0:
        return ""
    filled = min(_BAR, max(round(_BAR * number / whole), 1 if number else 0))
    return "━" * filled + "─" * (_BAR - filled) + f" {100 * number // whole}%"


def fact_renderer() -> Renderer[Fact]:
    """Columns of the overview."""
    return Renderer(
        name="numbers",
        columns=(
            Column("label", "Summary", lambda f: Cell("  " * f.indent + f.label, f.tone), 0, 22),
            Column("number", "", lambda f: Cell(count(f.number), f.tone), 0, 9, right=True),
            Column("note", "", lambda f: Cell(f.note, Tone.MUTED), 1, fill=1, minimum=20),
        ),
        key=lambda fact: fact.key,
    )
