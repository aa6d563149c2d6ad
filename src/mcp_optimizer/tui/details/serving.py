"""A running server, and a query that one answered, in full."""

from mcp_optimizer.domain.search.queries import QueryHit, QueryView
from mcp_optimizer.domain.serving.presence import PollView, ServerView
from mcp_optimizer.domain.views import Scope
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.format.ages import Clock, age, count, duration, parse_moment
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.serving import found_cell
from mcp_optimizer.tui.renderers.states import outcome_cell


def server_page(page: Document, server: ServerView, clock: Clock) -> None:
    """Where it answers, since when, and how each of its polls went."""
    page.title(server.address, ("● serving", Tone.GOOD))
    page.field("transport", server.transport)
    page.field("process", f"{server.pid} on {server.host}, version {server.version}")
    page.field("started", f"{server.started_at}, {age(server.started_at, clock)} ago")
    page.field("last heard of", f"{age(server.heartbeat_at, clock)} ago")
    page.heading("POLLS", "" if server.polls else "none yet")
    for poll in server.polls:
        poll_lines(page, poll, clock)


def poll_lines(page: Document, poll: PollView, clock: Clock) -> None:
    """How one part was polled last, and when it is again."""
    cell = outcome_cell(poll.outcome)
    ago = f"  {age(poll.at, clock)} ago, took {duration(poll.seconds)}"
    page.add((cell.text.ljust(12), cell.tone), (poll.part, Tone.STRONG), (ago, Tone.MUTED))
    page.paragraph(poll.detail, Tone.BAD if poll.outcome == "failed" else Tone.MUTED, indent=2)
    if poll.failures > 1:
        page.add((f"  {count(poll.failures)} failed in a row", Tone.WARN))
    if soon := _until(poll.next_at, clock):
        page.add((f"  next {soon}", Tone.MUTED))


def _until(moment: str, clock: Clock) -> str:
    parsed = parse_moment(moment)
    if parsed is None:
        return ""
    seconds = int((parsed - clock()).total_seconds())
    for unit, length in (("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"in {seconds // length}{unit}"
    return f"in {seconds}s" if seconds > 0 else "now"


def query_page(page: Document, query: QueryView, clock: Clock, *, ask_key: str = "", jump_key: str = "") -> None:
    """What was asked, what was returned and why; with keys, what can be done about it."""
    cell = found_cell(query)
    page.title(query.text or "an empty query", (cell.text, cell.tone))
    page.field("keywords", query.keywords)
    page.field("asked", f"{age(query.at, clock)} ago, through {query.kind}")
    page.field("token", query.token)
    page.field("took", f"{query.milliseconds:.0f} ms")
    page.field("error", query.error or "", Tone.BAD)
    page.field("tokens", f"{count(query.returned_tokens)} returned of {count(query.baseline_tokens)}{_saved(query)}")
    page.field("request", query.request_id, Tone.MUTED)
    page.heading("RETURNED", "best first" if query.hits else "nothing")
    for place, hit in enumerate(query.hits, 1):
        _hit(page, place, hit)
    if ask_key:
        page.heading("WHAT CAN BE DONE")
        page.item(ask_key, "ask it again in Search: widen its scope and status, see every rank")
        if query.hits:
            page.item(jump_key, "go to the server of a tool that was returned")


def _saved(query: QueryView) -> str:
    if not query.baseline_tokens:
        return ""
    return f", {100 * (1 - query.returned_tokens / query.baseline_tokens):.0f}% saved"


def _hit(page: Document, place: int, hit: QueryHit) -> None:
    whose = " (registry)" if hit.scope is Scope.REGISTRY else ""
    page.add((f"{place:>2} ", Tone.MUTED), (hit.tool, Tone.STRONG), (f"  {hit.server}{whose}", Tone.ACCENT))
    page.paragraph(hit_words(hit), Tone.MUTED, indent=3)


def hit_words(hit: QueryHit) -> str:
    """Why a tool was returned: ranks, distance, tokens."""
    distance = "" if hit.semantic_distance is None else f" (distance {hit.semantic_distance:.3f})"
    meaning = "" if hit.semantic_rank is None else f"meaning #{hit.semantic_rank}{distance}"
    words = "" if hit.text_rank is None else f"text #{hit.text_rank}"
    exact = "exact name" if hit.exact_name else ""
    return ", ".join(part for part in (exact, meaning, words, f"{count(hit.tokens)} tokens") if part)
