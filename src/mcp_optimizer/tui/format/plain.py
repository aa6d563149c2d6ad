"""Overview and relationships as plain text, where there is no terminal."""

from typing import TYPE_CHECKING

from mcp_optimizer.domain.matching import Explanation
from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.text import one_line
from mcp_optimizer.tui.details.explanation import verdict_sentence
from mcp_optimizer.tui.format.ages import system_clock
from mcp_optimizer.tui.format.counts import facts
from mcp_optimizer.tui.format.filter import Filter
from mcp_optimizer.tui.renderers.states import drift_words, relation_cell, relation_word
from mcp_optimizer.tui.renderers.workloads import workload_renderer
from mcp_optimizer.tui.state.outline import Line, Relationships, outline_renderer

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


async def plain_overview(service: "DataService") -> str:
    """Every number, every workload with its relation and why, and open problems: one printable text."""
    overview = await service.overview()
    servers, workloads = await service.registry_servers(), await service.workloads()
    lines = [f"{'  ' * fact.indent}{fact.label:<24}{fact.number:>8}  {fact.note}".rstrip() for fact in facts(overview)]
    relationships = Relationships.of(servers, workloads)
    opened = {group.id for group in relationships.groups if group.id != "unused"}
    opened |= {f"linked/{name}" for name in relationships.by_server}
    renderer = workload_renderer(system_clock)
    outline = relationships.lines(opened, Filter(), renderer)
    lines += ["", "Relationships", *(_outline_line(line) for line in outline)]
    lines += ["", "Why not linked", *[await _why(service, workload) for workload in workloads if _unlinked(workload)]]
    lines += ["", "Open problems", *(f"  {p.problem} {p.entity} {p.name}: {p.reason}" for p in overview.problems)]
    return "\n".join(one_line(line).rstrip() for line in lines) + "\n"


def _unlinked(workload: WorkloadView) -> bool:
    return workload.relation is not Relation.LINKED


async def _why(service: "DataService", workload: WorkloadView) -> str:
    explanation: Explanation = await service.explain(workload.name)
    nearest = explanation.near_misses[:1]
    near = "".join(f" Nearest: {miss.registry_server} ({miss.reason}), {miss.catalog}." for miss in nearest)
    return f"  {workload.name}: {verdict_sentence(explanation)}{near}"


def _outline_line(line: Line) -> str:
    label = outline_renderer().columns[0].cell(line).text
    if line.workload is None:
        return label
    relation = relation_cell(relation_word(line.workload)).text
    drift = drift_words(line.workload.drift)
    return f"{label}  {relation}  {line.workload.status}" + (f"  {drift}" if drift else "")
