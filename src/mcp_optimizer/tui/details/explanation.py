"""Why a workload inherits from the entry it does, or from none, in a document."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mcp_optimizer.domain.matching import Explanation, NearMiss, Reason, Step
from mcp_optimizer.domain.models import Kind, Relation
from mcp_optimizer.domain.views import ChangeView
from mcp_optimizer.tui.actions import Keymap
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.format.ages import Clock, age, system_clock
from mcp_optimizer.tui.format.columns import Cell
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import relation_cell

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
_NO_TRIALS: Mapping[str, str] = MappingProxyType({})
_GOOD = frozenset({"match", "linked", "resolved"})
_BAD = frozenset({"rejected", "several claim it", "unresolved"})
_WARN = frozenset({"drifted", "linkable", "unknown", "unidentified"})


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


def explanation_document(
    explanation: Explanation,
    width: int,
    clock: Clock = system_clock,
    keymap: Keymap | None = None,
    trials: Mapping[str, str] = _NO_TRIALS,
) -> Lines:
    """Verdict, steps, drift, near misses with the exact difference, how it came about, and what can be done.

    With a keymap each way on has its key; without one, as in a file, they are left out. ``trials``: what the dry run of
    an action has shown, by its id.
    """
    page = Document(width)
    verdict = relation_cell(verdict_word(explanation))
    page.title(explanation.workload, (verdict.text, verdict.tone))
    page.paragraph(verdict_sentence(explanation), Tone.PLAIN)
    page.heading("STEPS")
    for number, step in enumerate(explanation.steps, 1):
        _step(page, number, step)
    if explanation.drift is not None:
        page.heading("DRIFT", "running version differs from the catalog")
        page.difference(explanation.drift.running, explanation.drift.catalog)
    page.heading(
        "NEAR MISSES", "strongest first; hints are never linked automatically" if explanation.near_misses else "none"
    )
    for number, miss in enumerate(explanation.near_misses, 1):
        _near_miss(page, number, miss)
    history(page, getattr(explanation, "history", ()), clock)
    page.heading("WHAT CAN BE DONE")
    for action, advice in advices(explanation):
        key = keymap.words_for(action) if keymap and action else ""
        if action and keymap is not None and not key:
            continue
        page.item(key or "•", advice)
        if action in trials:
            page.paragraph(f"dry run: {trials[action]}", Tone.MUTED, indent=3)
    return page.lines


def verdict_sentence(explanation: Explanation) -> str:
    """The answer in one sentence."""
    noun = "URL" if explanation.kind is Kind.REMOTE else "image"
    if explanation.verdict is Relation.LINKED:
        return f"It inherits description and embedding from {explanation.registry_server}."
    if explanation.verdict is Relation.REJECTED:
        return f"Its last ingestion was rejected: the catalog names this {noun} for more than one registry server."
    if explanation.verdict is Relation.UNIDENTIFIED:
        return "It inherits from nothing: what it is can't be told, so it can't be compared with the catalog."
    if explanation.linkable_to:
        return f"It inherits from nothing, but {explanation.linkable_to} has exactly this {noun} now."
    return f"It inherits from nothing: no registry server has exactly this {noun}."


def advices(explanation: Explanation) -> list[tuple[str, str]]:
    """What a person can do about it: the action that does it (empty: nothing here does), and in words."""
    linkable, nearest = explanation.linkable_to, nearest_miss(explanation)
    if explanation.verdict is Relation.REJECTED:
        if any(step.outcome == "resolved" for step in explanation.steps):
            return [
                ("ingest", "it is resolved: the next ingestion of workloads takes it in"),
                ("resolve", "or choose another entry"),
            ]
        return [
            ("resolve", "choose the entry that counts; the choice is kept"),
            ("ingest", "or have the catalog name the identity once, and ingest registry and workloads again"),
        ]
    ways: list[tuple[str, str]] = []
    if explanation.verdict is Relation.UNIDENTIFIED:
        ways.append(("ingest", "nothing here: once its source says what it is, the next ingestion matches it"))
    if linkable is not None:
        ways.append(("rematch", f"re-match: links it to {linkable}; until then it stays autonomous"))
    elif explanation.verdict is Relation.AUTONOMOUS:
        if nearest is not None:
            ways.append(("", f"start it from exactly {nearest.catalog}: the next ingestion links it"))
            ways.append(("link", f"or link it by hand, {nearest.registry_server} is the first to choose"))
        else:
            ways.append(("", "nothing needs doing: it has its own description and embedding"))
            ways.append(("link", "link it by hand to any registry server of its kind"))
    if explanation.drift is not None:
        ways.append(("", f"to end the drift start it from {explanation.drift.catalog}; the link holds either way"))
    if explanation.verdict is Relation.LINKED:
        ways += [("unlink", "unlink: it gets its own description"), ("link", "link it to another registry server")]
    return ways


def nearest_miss(explanation: Explanation) -> NearMiss | None:
    """The registry server that comes nearest and could be linked."""
    return next((miss for miss in explanation.near_misses if miss.reason is not Reason.OTHER_KIND), None)


def history(page: Document, changes: Sequence[ChangeView], clock: Clock) -> None:
    """Why, when and by what the relation became as it is, newest first; left out when nothing is known."""
    if not changes:
        return
    page.heading("HISTORY", "newest first")
    for change in sorted(changes, key=lambda change: -change.sequence):
        page.add(
            (f"{age(change.at, clock):>4} ago  ", Tone.MUTED),
            (change.operation, Tone.ACCENT),
            (f"  {change.cause}" if change.cause else "", Tone.PLAIN),
        )
        if change.detail:
            page.paragraph(change.detail, Tone.MUTED, indent=10)


def _step(page: Document, number: int, step: Step) -> None:
    cell = outcome_cell(step.outcome)
    page.add((f"{number} ", Tone.MUTED), (step.step.ljust(11), Tone.PLAIN), (cell.text, cell.tone))
    page.paragraph(step.detail, Tone.MUTED, indent=2)


def _near_miss(page: Document, number: int, miss: NearMiss) -> None:
    page.add((f"{number} ", Tone.MUTED), (miss.registry_server, Tone.STRONG), (f"  {miss.reason}", Tone.WARN))
    page.paragraph(miss.detail or REASON_WORDS.get(miss.reason, ""), Tone.MUTED, indent=2)
    if miss.reason is Reason.DUPLICATE:
        page.field("  both name", miss.catalog)
    else:
        page.difference(miss.running, miss.catalog)
