"""A workload in detail."""

from collections.abc import Sequence

from mcp_optimizer.domain.tools.definitions import DefinitionChange
from mcp_optimizer.domain.views import DescriptionSource, ToolDifference, ToolView, WorkloadDetail, WorkloadView
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.details.explanation import history
from mcp_optimizer.tui.format.ages import Clock, age, count
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import relation_cell, relation_word, status_cell

_NOT_IN_CATALOG = "not in catalog"
_MAX_LISTED = 12
"""Of more places in one description the rest is only counted."""


def workload_document(workload: WorkloadView, clock: Clock, width: int) -> Lines:
    """Relation and where its description comes from first, then status, evidence and tools."""
    page = Document(width)
    relation, status = relation_cell(relation_word(workload)), status_cell(workload.status)
    page.title(workload.name, (relation.text, relation.tone), (status.text, status.tone))
    if workload.problem:
        page.field("problem", workload.problem, Tone.BAD)
    if workload.suspicious and workload.suspicious != workload.problem:
        page.field("suspicious", workload.suspicious, Tone.WARN)
    page.field("status", workload.status_reason or "", Tone.WARN)
    page.field(
        "inherits from", workload.registry_server or "nothing", Tone.GOOD if workload.registry_server else Tone.MUTED
    )
    if workload.registry_server_status:
        page.field("its status", f"⚠ {workload.registry_server_status} by its catalog", Tone.WARN)
    page.field("linkable to", workload.linkable_to or "", Tone.ACCENT)
    page.field("identity", workload.identity or "unknown")
    detail = workload if isinstance(workload, WorkloadDetail) else None
    if detail and detail.canonical_identity not in {workload.identity, ""}:
        page.field("compared as", detail.canonical_identity, Tone.MUTED)
    if workload.drift is not None:
        page.heading("DRIFT", "running version differs from the catalog")
        page.difference(workload.drift.running, workload.drift.catalog)
    source = "the registry server's" if workload.description_source is DescriptionSource.REGISTRY else "its own"
    page.heading("DESCRIPTION", source)
    page.paragraph(workload.description or "none", Tone.PLAIN if workload.description else Tone.MUTED)
    page.blank()
    page.field("context name", workload.context_name)
    page.field("kind", f"{workload.kind}, {workload.transport}" if workload.transport else workload.kind)
    page.field("endpoint", workload.endpoint or "")
    page.field("group", workload.group)
    if updated := age(workload.updated_at, clock):
        page.field("updated", f"{updated} ago")
    if detail:
        _of_detail(page, detail, clock)
    return page.lines


def _of_detail(page: Document, workload: WorkloadDetail, clock: Clock) -> None:
    page.field("recorded as", workload.evidence.recorded_registry_server or "", Tone.MUTED)
    page.field("image label", workload.evidence.image_label or "", Tone.MUTED)
    if workload.virtual_mcp:
        page.field("virtual MCP", "yes")
    if workload.relation_cause:
        since = age(workload.relation_changed_at, clock)
        page.field("linked by", workload.relation_cause + (f", {since} ago" if since else ""))
    history(page, getattr(workload, "history", ()), clock)
    difference = workload.tool_difference
    suspicions(page, workload.tool_list)
    page.tools(workload.tool_list, marks=dict.fromkeys(difference.only_live, _NOT_IN_CATALOG) if difference else None)
    if difference:
        _catalog_tools(page, difference)


def suspicions(page: Document, tools: Sequence[ToolView]) -> None:
    """Tools that say something else than at first, word by word, and those with characters that can't be seen."""
    results = [tool for tool in tools if tool.change is not None or tool.invisible]
    if not results:
        return
    page.heading("SUSPICIOUS TOOLS", "read them before agents do, then accept or stop it")
    for tool in results:
        if tool.change is not None:
            page.add((tool.name, Tone.STRONG), (f"  ! {tool.change.summary}", Tone.WARN))
            changed_words(page, tool.change)
        if tool.invisible:
            page.add((tool.name, Tone.STRONG), ("  ! holds characters that can't be seen", Tone.BAD))
            page.paragraph(", ".join(tool.invisible), Tone.WARN, indent=2)


def changed_words(page: Document, change: DefinitionChange) -> None:
    """What a description said at first, and what stands there now."""
    for words in change.words[:_MAX_LISTED]:
        page.paragraph(f"- {words.before or '(nothing)'}", Tone.MUTED, indent=2)
        page.paragraph(f"+ {words.after or '(nothing)'}", Tone.WARN, indent=2)
    if len(change.words) > _MAX_LISTED:
        page.add((f"  and {count(len(change.words) - _MAX_LISTED)} more places", Tone.MUTED))


def _catalog_tools(page: Document, difference: ToolDifference) -> None:
    live, both, catalog = len(difference.only_live), len(difference.both), len(difference.only_catalog)
    page.heading(
        "LIVE AGAINST CATALOG", f"{count(both)} in both, {count(live)} only live, {count(catalog)} only in catalog"
    )
    page.field("only live", ", ".join(difference.only_live), Tone.WARN)
    page.field("only catalog", ", ".join(difference.only_catalog), Tone.WARN)
