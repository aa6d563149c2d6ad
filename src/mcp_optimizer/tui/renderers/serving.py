"""Running servers and the queries they answered, in lists."""

from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.serving.presence import PollView, ServerView
from mcp_optimizer.tui.format.ages import Clock, age, count
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import outcome_cell


def server_renderer(clock: Clock) -> Renderer[ServerView]:
    """MCP servers that run on this database."""
    return Renderer(
        name="servers",
        columns=(
            Column("address", "Address", lambda s: Cell(f"● {s.address}", Tone.GOOD), 0, 48, fill=1, minimum=28),
            Column("polls", "Last polls", lambda s: polls_cell(s.polls, clock), 1, fill=2, minimum=26),
            Column("since", "Up", lambda s: Cell(age(s.started_at, clock)), 2, 4, order=lambda s: s.started_at),
            Column("pid", "Process", lambda s: Cell(f"{s.pid} on {s.host}", Tone.MUTED), 3, 24),
            Column("version", "Version", lambda s: Cell(s.version, Tone.MUTED), 4, 10),
        ),
        key=lambda s: s.id,
        fields={"transport": lambda s: s.transport},
    )


def polls_cell(polls: tuple[PollView, ...], clock: Clock) -> Cell:
    """How the last polls went, in as few words as can be; the worst of them gives the tone."""
    if not polls:
        return Cell("no poll yet", Tone.MUTED)
    words = ", ".join(f"{poll_mark(poll).text} {poll.part} {age(poll.at, clock)} ago" for poll in polls)
    tones = {poll_mark(poll).tone for poll in polls}
    return Cell(words, next(tone for tone in (Tone.BAD, Tone.WARN, Tone.PLAIN) if tone in tones or tone is Tone.PLAIN))


def poll_mark(poll: PollView) -> Cell:
    """The mark of a poll's outcome alone."""
    cell = outcome_cell(poll.outcome)
    return Cell(cell.text[0], cell.tone)


def query_renderer(clock: Clock) -> Renderer[QueryView]:
    """What agents asked, newest first."""
    return Renderer(
        name="queries",
        columns=(
            Column("age", "Ago", lambda q: Cell(age(q.at, clock), Tone.MUTED), 0, 4, order=lambda q: q.sequence),
            Column("text", "Query", lambda q: Cell(q.text, Tone.STRONG), 0, fill=3, minimum=20),
            Column("hits", "Found", found_cell, 1, 9, order=lambda q: len(q.hits)),
            Column("best", "Best", lambda q: Cell(_best(q)), 2, fill=2, minimum=16),
            Column("tokens", "Tokens", _tokens, 4, 8, right=True, order=lambda q: q.returned_tokens),
            Column(
                "took",
                "Took",
                lambda q: Cell(f"{q.milliseconds:.0f} ms"),
                5,
                8,
                right=True,
                order=lambda q: q.milliseconds,
            ),
            Column("kind", "Tool", lambda q: Cell(q.kind, Tone.MUTED), 3, 15),
        ),
        key=lambda q: str(q.sequence),
        fields={"is": lambda q: "failed" if q.error else "found" if q.hits else "nothing", "token": lambda q: q.token},
        text=lambda q: "\n".join((q.keywords, q.token, q.error or "", *(f"{hit.server}/{hit.tool}" for hit in q.hits))),
    )


def found_cell(query: QueryView) -> Cell:
    """How many tools were returned; none is what one looks for."""
    if query.error:
        return Cell("✗ failed", Tone.BAD)
    return Cell(f"✓ {len(query.hits)}", Tone.GOOD) if query.hits else Cell("! none", Tone.WARN)


def _best(query: QueryView) -> str:
    return f"{query.hits[0].server}/{query.hits[0].tool}" if query.hits else query.error or "–"


def _tokens(query: QueryView) -> Cell:
    return Cell(count(query.returned_tokens), Tone.MUTED)
