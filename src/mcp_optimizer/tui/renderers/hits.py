"""What a search found."""

from collections.abc import Callable

from mcp_optimizer.domain.views import Scope, SearchHit
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone


def hit_key(hit: SearchHit) -> str:
    """A tool is known by its server, its name and whose it is."""
    return f"{hit.scope}\n{hit.server}\n{hit.tool}"


def hit_renderer(was_returned: Callable[[SearchHit], bool] = lambda _: True) -> Renderer[SearchHit]:
    """Columns of the Search area; hits that an agent was not given are muted and say so (Q5)."""

    def tool(hit: SearchHit) -> Cell:
        return Cell(hit.tool, Tone.STRONG if was_returned(hit) else Tone.MUTED)

    def why(hit: SearchHit) -> Cell:
        return _why(hit) if was_returned(hit) else Cell("not returned", Tone.WARN)

    return Renderer(
        name="tools",
        columns=(
            Column("tool", "Tool", tool, 0, 40, fill=2, minimum=18),
            Column("server", "Server", lambda h: Cell(h.server), 1, 28, fill=1, minimum=12),
            Column("why", "Why", why, 2, 14),
            Column(
                "semantic",
                "Sem",
                lambda h: _rank(h.semantic_rank),
                3,
                5,
                right=True,
                order=lambda h: h.semantic_rank or 9999,
            ),
            Column("distance", "Dist", _distance, 4, 6, right=True, order=lambda h: h.semantic_distance or 9.0),
            Column("text", "Text", lambda h: _rank(h.text_rank), 3, 6, right=True, order=lambda h: h.text_rank or 9999),
            Column(
                "tokens",
                "Tokens",
                lambda h: Cell(str(h.tokens), Tone.MUTED),
                5,
                7,
                right=True,
                order=lambda h: h.tokens,
            ),
            Column("scope", "Of", lambda h: Cell(_scope(h), Tone.MUTED), 6, 8),
            Column("description", "Description", lambda h: Cell(h.description, Tone.MUTED), 7, fill=2, minimum=24),
        ),
        key=hit_key,
    )


def why_words(hit: SearchHit) -> str:
    """Which half of the search found it."""
    if hit.exact_name:
        return "exact name"
    if hit.semantic_rank is not None and hit.text_rank is not None:
        return "meaning + text"
    return "meaning" if hit.semantic_rank is not None else "text"


def _why(hit: SearchHit) -> Cell:
    words = why_words(hit)
    return Cell(words, Tone.ACCENT if hit.exact_name else Tone.GOOD if "+" in words else Tone.PLAIN)


def _rank(rank: int | None) -> Cell:
    return Cell("·", Tone.MUTED) if rank is None else Cell(f"#{rank}")


def _distance(hit: SearchHit) -> Cell:
    return Cell("·", Tone.MUTED) if hit.semantic_distance is None else Cell(f"{hit.semantic_distance:.3f}")


def _scope(hit: SearchHit) -> str:
    return "registry" if hit.scope is Scope.REGISTRY else "workload"
