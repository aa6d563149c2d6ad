"""Why a workload inherits from the entry it does, or from none, in a document."""

from textual.content import Content

from mcp_optimizer.domain.matching import Explanation, NearMiss, Reason, Step
from mcp_optimizer.domain.models import Kind, Relation
from mcp_optimizer.tui.columns import Cell
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.renderers.states import relation_cell
from mcp_optimizer.tui.tone import Tone

REASON_WORDS: dict[Reason, str] = {
    Reason.RECORDED_PROVENANCE: "ToolHive recorded that it was started from this entry",
    Reason.IMAGE_LABEL: "the image's label names this entry",
    Reason.OTHER_TAG: "same image, another tag",
    Reason.OTHER_DIGEST: "same image, another digest",
    Reason.MOVED_IMAGE: "same name, another image: it may have moved",
    Reason.TRAILING_SLASH: "same URL but for a slash at the end",
    Reason.QUERY_DIFFERS: "same URL but for the query",
    Reason.SCHEME_DIFFERS: "same URL but for the scheme",
    Reason.PATH_DIFFERS: "same host, another path",
    Reason.OTHER_KIND: "right name or place, but the other kind of server",
    Reason.DUPLICATE: "claims the same identity as another entry",
}
_GOOD = frozenset({"match", "linked", "resolved"})
_BAD = frozenset({"rejected", "several claim it", "unresolved"})
_WARN = frozenset({"drifted", "linkable"})


def verdict_word(explanation: Explanation) -> str:
    """The one word for how the workload stands to the catalog."""
    if explanation.verdict is Relation.LINKED and explanation.drift is not None:
        return "drifted"
    if explanation.verdict is Relation.AUTONOMOUS and explanation.linkable_to is not None:
        return "linkable"
    return explanation.verdict.value


def outcome_cell(outcome: str) -> Cell:
    """The outcome of a step, marked."""
    if outcome in _GOOD:
        return Cell(f"✓ {outcome}", Tone.GOOD)
    if outcome in _BAD:
        return Cell(f"✗ {outcome}", Tone.BAD)
    if outcome in _WARN:
        return Cell(f"! {outcome}", Tone.WARN)
    return Cell(f"· {outcome}", Tone.PLAIN)


def explanation_document(explanation: Explanation, width: int) -> Content:
    """Verdict, steps, drift, near misses with the exact difference, and what can be done."""
    page = Document(width)
    verdict = relation_cell(verdict_word(explanation))
    page.title(explanation.workload, (verdict.text, verdict.tone))
    page.paragraph(verdict_sentence(explanation), Tone.PLAIN)
    page.heading("STEPS")
    for number, step in enumerate(explanation.steps, 1):
        _step(page, number, step)
    if explanation.drift is not None:
        page.heading("DRIFT", "it runs something else than the catalog names")
        page.difference(explanation.drift.running, explanation.drift.catalog)
    page.heading(
        "NEAR MISSES", "strongest first; evidence never links by itself" if explanation.near_misses else "none"
    )
    for number, miss in enumerate(explanation.near_misses, 1):
        _near_miss(page, number, miss)
    page.heading("WHAT TO DO")
    for advice in advices(explanation):
        page.paragraph(f"• {advice}")
    return page.content


def verdict_sentence(explanation: Explanation) -> str:
    """The answer in one sentence."""
    noun = "URL" if explanation.kind is Kind.REMOTE else "image"
    if explanation.verdict is Relation.LINKED:
        return f"It inherits description and embedding from {explanation.registry_server}."
    if explanation.verdict is Relation.REJECTED:
        return f"Its last ingestion was rejected: the catalog names this {noun} for more than one registry server."
    if explanation.linkable_to:
        return f"It inherits from nothing, but {explanation.linkable_to} has exactly this {noun} now."
    return f"It inherits from nothing: no registry server has exactly this {noun}."


def advices(explanation: Explanation) -> list[str]:
    """What a person can do about it, with what works now."""
    advice: list[str] = []
    if explanation.verdict is Relation.REJECTED:
        advice.append("Make the catalog name the identity once, then ingest registry and workloads again (i).")
    if explanation.drift is not None:
        advice.append(f"To end the drift, start it from {explanation.drift.catalog}. The link holds either way.")
    if explanation.linkable_to is not None:
        advice.append(f"It is linkable to {explanation.linkable_to}. It stays autonomous until an explicit re-match.")
    elif explanation.verdict is Relation.AUTONOMOUS:
        advice.append(_toward_a_link(explanation))
    return advice or ["Nothing: this is as it should be."]


def _toward_a_link(explanation: Explanation) -> str:
    same_kind = [miss for miss in explanation.near_misses if miss.reason is not Reason.OTHER_KIND]
    if not same_kind:
        return "Nothing needs doing: it has its own description and embedding. To have it inherit, add it to a catalog."
    miss = same_kind[0]
    return f"To have it inherit from {miss.registry_server}, start it from exactly {miss.catalog}, then ingest (i)."


def _step(page: Document, number: int, step: Step) -> None:
    cell = outcome_cell(step.outcome)
    page.add((f"{number} ", Tone.MUTED), (step.step.ljust(11), Tone.PLAIN), (cell.text, cell.tone))
    page.paragraph(step.detail, Tone.MUTED, indent=2)


def _near_miss(page: Document, number: int, miss: NearMiss) -> None:
    page.add((f"{number} ", Tone.MUTED), (miss.registry_server, Tone.STRONG), (f"  {miss.reason}", Tone.WARN))
    page.paragraph(REASON_WORDS.get(miss.reason, ""), Tone.MUTED, indent=2)
    if miss.reason is Reason.DUPLICATE:
        page.field("  both name", miss.catalog)
    else:
        page.difference(miss.running, miss.catalog)
