"""Workloads in a list, rejected ones included."""

from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.tui.format.ages import Clock, age, count
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import drift_words, relation_cell, relation_word, status_cell


def workload_renderer(clock: Clock) -> Renderer[WorkloadView]:
    """Columns of the Workloads area."""
    return Renderer(
        name="workloads",
        columns=(
            Column("name", "Name", lambda w: Cell(w.name, Tone.STRONG), 0, 40, fill=2, minimum=18),
            Column("status", "Status", lambda w: status_cell(w.status), 2, 13),
            Column("relation", "Relation", lambda w: relation_cell(relation_word(w)), 1, 12),
            Column("server", "Registry server", _server, 3, 24, fill=1, minimum=15),
            Column("tools", "Tools", lambda w: Cell(count(w.tools)), 4, 6, right=True, order=lambda w: w.tools),
            Column("drift", "Drift", lambda w: Cell(drift_words(w.drift), Tone.WARN), 6, 17),
            Column("tokens", "Tokens", lambda w: Cell(count(w.tokens)), 5, 8, right=True, order=lambda w: w.tokens),
            Column("identity", "Identity", lambda w: Cell(w.identity), 7, fill=3, minimum=22, middle=True),
            Column("group", "Group", lambda w: Cell(w.group, Tone.MUTED), 8, 12),
            Column("kind", "Kind", lambda w: Cell(w.kind, Tone.MUTED), 9, 9),
            Column(
                "updated",
                "Upd",
                lambda w: Cell(age(w.updated_at, clock), Tone.MUTED),
                10,
                4,
                order=lambda w: w.updated_at,
            ),
        ),
        key=lambda w: w.name,
        fields={
            "status": lambda w: w.status,
            "relation": lambda w: f"{w.relation.value}\n{relation_word(w)}",
            "server": lambda w: w.registry_server or "",
            "is": _flags,
            "id": lambda w: w.id,
            "problem": lambda w: w.problem or "",
            "description": lambda w: w.description,
        },
        text=lambda w: f"{w.description}\n{w.problem or ''}",
    )


def _server(workload: WorkloadView) -> Cell:
    if workload.registry_server is not None:
        return Cell(workload.registry_server)
    if workload.linkable_to is not None:
        return Cell(f"→ {workload.linkable_to}", Tone.ACCENT)
    return Cell("–", Tone.MUTED)


def _flags(workload: WorkloadView) -> str:
    flags = [workload.relation.value, relation_word(workload)]
    if workload.problem:
        flags.append("problem")
    if workload.suspicious:
        flags.append("suspicious")
    return " ".join(flags)
