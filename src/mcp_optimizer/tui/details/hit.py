"""A tool that a search found, in detail."""

from mcp_optimizer.domain.views import Scope, SearchHit
from mcp_optimizer.tui.ages import count
from mcp_optimizer.tui.details.document import Document, Lines, parameter_words
from mcp_optimizer.tui.renderers.hits import why_words
from mcp_optimizer.tui.tone import Tone


def hit_document(hit: SearchHit, width: int) -> Lines:
    """Why it was found, what it does, and the schema of its input."""
    page = Document(width)
    whose = "registry server" if hit.scope is Scope.REGISTRY else "workload"
    page.title(hit.tool, (f"of {whose} {hit.server}", Tone.MUTED))
    page.field("found by", why_words(hit), Tone.GOOD)
    semantic = "not found" if hit.semantic_rank is None else f"rank {hit.semantic_rank}"
    distance = "" if hit.semantic_distance is None else f", cosine distance {hit.semantic_distance:.4f}"
    page.field("meaning", semantic + distance)
    page.field("text", "not found" if hit.text_rank is None else f"rank {hit.text_rank}")
    page.field("fused score", f"{hit.score:.4f}")
    page.field("tokens", count(hit.tokens))
    page.blank()
    page.paragraph(hit.description or "no description", Tone.PLAIN if hit.description else Tone.MUTED)
    if parameters := parameter_words(hit.details):
        page.heading("PARAMETERS", "* required")
        page.paragraph(parameters)
    if schema := hit.details.get("inputSchema"):
        page.heading("INPUT SCHEMA")
        page.json(schema)
    return page.lines
