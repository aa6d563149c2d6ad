"""How states are told: a mark and a word each, and a tone on top."""

from mcp_optimizer.domain.models import Drift, Relation, is_running
from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.tui.format.columns import Cell
from mcp_optimizer.tui.format.tone import Tone

_RELATIONS: dict[str, Cell] = {
    "linked": Cell("✓ linked", Tone.GOOD),
    "drifted": Cell("≠ drifted", Tone.WARN),
    "linkable": Cell("+ linkable", Tone.ACCENT),
    "autonomous": Cell("○ autonomous", Tone.MUTED),
    "rejected": Cell("✗ rejected", Tone.BAD),
    "unidentified": Cell("unidentified", Tone.WARN),  # as wide as its column: no room for a mark
}
_OUTCOMES: dict[str, Cell] = {
    "done": Cell("✓ done", Tone.GOOD),
    "partial": Cell("! partial", Tone.WARN),
    "failed": Cell("✗ failed", Tone.BAD),
    "cancelled": Cell("– cancelled", Tone.MUTED),
}
_PROBLEMS: dict[str, Cell] = {
    "rejected": Cell("✗ rejected", Tone.BAD),
    "failed": Cell("✗ failed", Tone.BAD),
    "skipped": Cell("– skipped", Tone.MUTED),
    "duplicate": Cell("! duplicate", Tone.WARN),
}


def relation_word(workload: WorkloadView) -> str:
    """The one word that says most about how a workload stands to the catalog."""
    if workload.relation is Relation.LINKED and workload.drift is not None:
        return "drifted"
    if workload.relation is Relation.AUTONOMOUS and workload.linkable_to is not None:
        return "linkable"
    return workload.relation.value


def relation_cell(word: str) -> Cell:
    """A relation, marked."""
    return _RELATIONS.get(word, Cell(f"? {word}"))


def status_cell(status: str) -> Cell:
    """A workload's status, marked. Only ``running`` runs."""
    if is_running(status):
        return Cell(f"● {status}", Tone.GOOD)
    if status in {"error", "unhealthy", "failed"}:
        return Cell(f"✗ {status}", Tone.BAD)
    return Cell(f"○ {status}", Tone.MUTED)


def outcome_cell(outcome: str) -> Cell:
    """How an ingestion ended, marked."""
    return _OUTCOMES.get(outcome, Cell(f"? {outcome}"))


def problem_cell(problem: str) -> Cell:
    """A kind of problem, marked."""
    return _PROBLEMS.get(problem, Cell(f"! {problem}", Tone.WARN))


def drift_words(drift: Drift | None) -> str:
    """A drift in few words: what differs, ``1.0.1 → 1.0.3``, or that it moved."""
    if drift is None:
        return ""
    running_name, _, running_tag = drift.running.rpartition(":")
    catalog_name, _, catalog_tag = drift.catalog.rpartition(":")
    if running_name == catalog_name and running_name and "/" not in running_tag + catalog_tag:
        return f"{running_tag} → {catalog_tag}"
    return "moved"
