"""A registry server in detail."""

from mcp_optimizer.domain.views import RegistryServerDetail, RegistryServerView
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.format.ages import Clock, age
from mcp_optimizer.tui.format.tone import Tone


def registry_document(server: RegistryServerView, clock: Clock, width: int) -> Lines:
    """Description, who inherits from it, duplicates, tools; what a list row does not know is left out."""
    page = Document(width)
    linked = f"✓ {server.workloads} linked" if server.workloads else "○ nothing inherits from it"
    page.title(server.name, (linked, Tone.GOOD if server.workloads else Tone.MUTED))
    if server.title and server.title != server.name:
        page.paragraph(server.title, Tone.MUTED)
    if server.status:
        page.field("status", f"⚠ {server.status} by its catalog", Tone.WARN)
    page.field("identity", server.identity)
    detail = server if isinstance(server, RegistryServerDetail) else None
    if detail and detail.canonical_identity != server.identity:
        page.field("compared as", detail.canonical_identity, Tone.MUTED)
    if detail:
        _inheritors(page, detail)
    _duplicates(page, server)
    page.blank()
    page.paragraph(server.description or "no description", Tone.PLAIN if server.description else Tone.MUTED)
    page.blank()
    page.field("kind", f"{server.kind}, {server.transport}" if server.transport else server.kind)
    page.field("group", server.group)
    if detail:
        page.field("tier", detail.tier)
        page.field("tags", ", ".join(detail.tags))
        page.field("repository", detail.repository)
    if updated := age(server.updated_at, clock):
        page.field("updated", f"{updated} ago")
    if detail:
        page.tools(detail.tool_list)
    return page.lines


def _inheritors(page: Document, server: RegistryServerDetail) -> None:
    page.field("inherited by", ", ".join(server.workload_names), Tone.GOOD)


def _duplicates(page: Document, server: RegistryServerView) -> None:
    if not server.duplicates:
        return
    page.heading("DUPLICATE", "this identity is claimed by several names")
    page.field("also", ", ".join(server.duplicates), Tone.WARN)
    duplicate = server.duplicate if isinstance(server, RegistryServerDetail) else None
    if duplicate and duplicate.resolved:
        page.field("resolved", f"by hand: {duplicate.chosen}", Tone.GOOD)
    elif duplicate:
        page.field("unresolved", "a workload with this identity is rejected until the catalog names it once", Tone.WARN)
