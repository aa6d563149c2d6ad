"""A tool that a search found, in detail."""

from collections.abc import Iterable

from textual.content import Content

from mcp_optimizer.domain.search.words import word_spans
from mcp_optimizer.domain.views import Scope, SearchHit, learned_words
from mcp_optimizer.tui.details.document import Document, Lines, parameter_words
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.tone import STYLES, Tone
from mcp_optimizer.tui.renderers.hits import why_words


def hit_document(hit: SearchHit, width: int) -> Lines:
    """Why it was found, what it does, and the schema of its input."""
    page = Document(width)
    whose = "registry server" if hit.scope is Scope.REGISTRY else "workload"
    page.title(hit.tool)
    page.field("of", f"{whose} {hit.server}")
    page.field("found by", why_words(hit), Tone.GOOD)
    semantic = "not found" if hit.semantic_rank is None else f"rank {hit.semantic_rank}"
    distance = (
        ""
        if hit.semantic_distance is None
        else f", cosine distance {hit.semantic_distance:.4f}; includes the server's own similarity"
    )
    page.field("meaning", semantic + distance)
    page.field("text", _text_words(hit))
    for field, words in hit.matched.items():
        page.field(f"  {field}", ", ".join(words), Tone.ACCENT)
    if hit.sentence:
        page.field("best for", hit.sentence, Tone.MUTED)
    if learned := learned_words(hit):
        page.field("learned", learned, Tone.ACCENT)
    page.field("score", f"{hit.score:.4f}: {hit.vector_score:.4f} by meaning, {hit.word_score:.4f} by words")
    page.field("tokens", count(hit.tokens))
    page.blank()
    described = len(page.lines)
    page.paragraph(hit.description or "no description", Tone.PLAIN if hit.description else Tone.MUTED)
    until = len(page.lines)
    if parameters := parameter_words(hit.details):
        page.heading("PARAMETERS", "* required")
        page.paragraph(parameters)
    if schema := hit.details.get("inputSchema"):
        page.heading("INPUT SCHEMA")
        page.json(schema)
    words = hit.matched.get("description", ())
    marked = (_marked(line, words) for line in page.lines[described:until])
    return (*page.lines[:described], *marked, *page.lines[until:])


def _text_words(hit: SearchHit) -> str:
    """Rank and score by words, and how much of the query they answer."""
    if hit.text_rank is None:
        return "not found"
    score = "" if hit.text_score is None else f", score {hit.text_score:.2f}, {hit.coverage:.0%} of the query's words"
    return f"rank {hit.text_rank}{score}"


def _marked(line: Content, words: Iterable[str]) -> Content:
    """The line with the query's words in it underlined."""
    for begin, end in word_spans(line.plain, words):
        line = line.stylize(f"{STYLES[Tone.ACCENT]} bold underline", begin, end)
    return line
