"""Why an expected tool is not among a search's hits. Answered by the search itself, asked deeper (M6)."""

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.views import Scope, SearchHit, SearchQuery, WhyNot, WhyNotReason
from mcp_optimizer.search.candidates import Phrase, sides
from mcp_optimizer.search.filters import SearchedServer
from mcp_optimizer.search.hybrid import Search

_DEPTH = 1000
"""How many tools each half ranks for the answer."""
_ABOVE = 5


async def why_not(store: Store, search: Search, query: SearchQuery, server: str, tool: str) -> WhyNot:
    """Why ``server``'s ``tool`` is where it is in the query's hits, or not among them."""
    phrases = await search.phrases(query)
    async with store.database.reading() as connection:
        sequence = (await search_reads.version(connection)).sequence
        result = await _server(connection, search, query, sequence, server)
        if result is None:
            return _no(server, tool, None, WhyNotReason.NO_SUCH_SERVER, "the scope that is searched has no such server")
        scope = Scope(result.side.value)
        ops = store.workload_tools if result.side is Side.WORKLOAD else store.registry_tools
        stored = next((item for item in await ops.of_server(connection, result.id) if item.name == tool), None)
        if stored is None:
            return _no(server, tool, scope, WhyNotReason.NO_SUCH_TOOL, "the server has no such tool")
        every = (await search.reach.everything(connection, result.side, sequence)).values()
        refused = _hidden(result, query, every) or _refused(result, query)
        if refused is not None:
            return _no(server, tool, scope, *refused, embedded=bool(stored.text_hash))
        answers = await search.answers(connection, query, phrases, depth=_DEPTH)
        ranked = answers.ranked()
        place = next((at for at, item in enumerate(ranked, start=1) if item.id == stored.id), None)
        shown = [] if place is None else ranked[: min(place - 1, _ABOVE)]
        hit = [] if place is None else await search.hits(connection, answers, [ranked[place - 1]])
        above = await search.hits(connection, answers, shown)
        if place is None and query.max_distance is not None:
            farther = await _beyond_threshold(connection, search, query, phrases, stored.id)
            if farther is not None:
                detail = f"it is farther than {query.max_distance:g} (tool_distance_threshold), and no word finds it"
                refusal = _no(server, tool, scope, WhyNotReason.THRESHOLD, detail)
                return refusal.model_copy(update={"hit": farther})
    return _placed(query, server, stored, scope, place, hit[0] if hit else None, above)


async def _beyond_threshold(
    connection: AsyncConnection, search: Search, query: SearchQuery, phrases: Sequence[Phrase], tool: str
) -> SearchHit | None:
    """The tool as it would be found at any distance."""
    query = query.model_copy(update={"max_distance": None})
    answers = await search.answers(connection, query, phrases, depth=_DEPTH)
    result = await search.hits(connection, answers, [item for item in answers.ranked() if item.id == tool])
    return result[0] if result else None


async def _server(
    connection: AsyncConnection, search: Search, query: SearchQuery, sequence: int, name: str
) -> SearchedServer | None:
    for side in sides(query.scope):
        for server in (await search.reach.everything(connection, side, sequence)).values():
            if server.name == name:
                return server
    return None


def _hidden(
    server: SearchedServer, query: SearchQuery, every: Iterable[SearchedServer]
) -> tuple[WhyNotReason, str] | None:
    """What keeps the server from the agent that asked (Q5)."""
    if query.visibility is None or server.side is Side.REGISTRY:
        return None
    reason = query.visibility.refusal(server, every)
    return (WhyNotReason.VISIBILITY, reason) if reason else None


def _refused(server: SearchedServer, query: SearchQuery) -> tuple[WhyNotReason, str] | None:
    """The first filter that keeps the server out."""
    if query.group not in {None, server.group}:
        return WhyNotReason.GROUP, f"the server is in the group {server.group or '(none)'}, not in {query.group}"
    if query.kind not in {None, server.kind}:
        return WhyNotReason.KIND, f"the server is a {server.kind}, not a {query.kind}"
    if not server.passes(query):
        return WhyNotReason.STATUS, f"the server is {server.status}, not {query.status}"
    return None


def _no(
    server: str, tool: str, scope: Scope | None, reason: WhyNotReason, detail: str, *, embedded: bool = True
) -> WhyNot:
    return WhyNot(server=server, tool=tool, scope=scope, reason=reason, detail=detail, embedded=embedded)


def _placed(
    query: SearchQuery,
    server: str,
    tool: StoredTool,
    scope: Scope,
    place: int | None,
    hit: SearchHit | None,
    above: list[SearchHit],
) -> WhyNot:
    embedded = bool(tool.text_hash)
    unembedded = "" if embedded else "; it is not embedded, so only its words can be found"
    if place is None:
        reason, detail = WhyNotReason.NOT_MATCHED, f"it is not among the first {_DEPTH} of either half{unembedded}"
    elif place <= query.limit:
        reason, detail = WhyNotReason.FOUND, f"it is found, at place {place}"
    else:
        reason = WhyNotReason.OUTRANKED
        detail = f"{place - 1} tools are ranked above it, and only {query.limit} are shown{unembedded}"
    return WhyNot(
        server=server,
        tool=tool.name,
        scope=scope,
        reason=reason,
        detail=detail,
        place=place,
        embedded=embedded,
        hit=hit,
        above=tuple(f"{item.server}/{item.tool}" for item in above),
    )
