"""Why a tool that a person expected is not among the results of a search, and what to do about it."""

from mcp_optimizer.domain.views import WhyNot, WhyNotReason
from mcp_optimizer.tui.actions import Keymap
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.hits import why_words

_WAYS: dict[WhyNotReason, tuple[str, str]] = {
    WhyNotReason.STATUS: ("status", "search workloads of any status"),
    WhyNotReason.GROUP: ("group", "search another group, or all"),
    WhyNotReason.NO_SUCH_SERVER: ("scope", "search the registry too"),
    WhyNotReason.OUTRANKED: ("filter", "say more of what the tool does, or a word of its name"),
    WhyNotReason.NOT_MATCHED: ("filter", "say what the tool does in other words, or a word of its name"),
    WhyNotReason.NO_SUCH_TOOL: ("ingest", "ingest again, if the tool is new"),
}
"""The action that helps, and how."""


def why_document(answer: WhyNot, query: str, width: int, keymap: Keymap) -> Lines:
    """The reason, what would help, what is ranked above it, and its own ranks."""
    page = Document(width)
    result = answer.reason is WhyNotReason.FOUND
    state = ("✓ found", Tone.GOOD) if result else ("✗ not returned", Tone.BAD)
    page.title(answer.tool, state)
    page.field("of", answer.server)
    page.field("query", query, Tone.MUTED)
    page.blank()
    page.paragraph(f"{answer.detail[:1].upper()}{answer.detail[1:]}.", Tone.PLAIN if result else Tone.WARN)
    action, way = _WAYS.get(answer.reason, ("", ""))
    if key := keymap.words_for(action):
        page.item(key, way)
    if not answer.embedded:
        page.item("•", "mcp-optimizer db reembed gives it its embedding")
    if answer.above:
        page.heading("ABOVE IT")
        for place, name in enumerate(answer.above, 1):
            page.add((f"{place:>3}  ", Tone.MUTED), (name, Tone.PLAIN))
        more = (answer.place or 1) - 1 - len(answer.above)
        if more > 0:
            page.add((f"     and {count(more)} more", Tone.MUTED))
    if answer.hit is not None:
        page.heading("ITS OWN RANKS")
        page.field("place", count(answer.place or 0))
        page.field("found by", why_words(answer.hit))
        page.field("meaning", "not found" if answer.hit.semantic_rank is None else f"rank {answer.hit.semantic_rank}")
        page.field("text", "not found" if answer.hit.text_rank is None else f"rank {answer.hit.text_rank}")
    return page.lines
