"""Which registry server to install for a task: by what it says of itself, and by its tools."""

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.search.rank import PhraseMatches
from mcp_optimizer.domain.views import Scope, SearchHit, SearchQuery, ServerHit
from mcp_optimizer.search.hybrid import Search
from mcp_optimizer.text import to_storable

_DEPTH = 50
_TOOLS_SHOWN = 3
_OWN_SHARE = 0.25
"""What a server's description counts beside its best tool: little, as that tool's score has some of it already."""


async def search_servers(store: Store, search: Search, wanted: str, limit: int) -> list[ServerHit]:
    """The best registry servers for ``wanted``, best first; a server of exactly this name before all others.

    Fused by value: the likeness of the server's own description, and the score of its best tool.
    """
    wanted = to_storable(wanted).strip()
    if not wanted:
        return []
    hits = await search.run(SearchQuery(text=wanted, scope=Scope.REGISTRY, limit=_DEPTH))
    best: dict[str, list[SearchHit]] = {}
    for hit in hits:
        best.setdefault(hit.server, []).append(hit)
    vector = await search.vector(wanted)
    async with store.database.reading() as connection:
        near: list[tuple[str, float]] = []
        if vector is not None:
            vector = await search.turned(connection, vector)
            near = await index_of(connection).nearest_servers(connection, Side.REGISTRY, vector, limit=_DEPTH)
        rows = {row.id: row for row in await store.registry_servers.all(connection)}
        running = await search_reads.linked_counts(connection)
    own = dict(near)
    likeness = PhraseMatches(distances=own, bounds=search.bounds(own.values()))
    results: list[tuple[bool, ServerHit]] = []
    for key, row in rows.items():
        exact = row.name.casefold() == wanted.casefold()
        if key in own or row.name in best or exact:
            score = best[row.name][0].score if row.name in best else 0.0
            score += likeness.vector_score(key) * (_OWN_SHARE if row.name in best else 1.0)
            results.append(
                (
                    not exact,
                    ServerHit(
                        server=row.name,
                        description=row.description,
                        score=round(score, 6),
                        distance=round(own[key], 6) if key in own else None,
                        tools=tuple(hit.tool for hit in best.get(row.name, ())[:_TOOLS_SHOWN]),
                        workloads=running.get(key, 0),
                        kind=row.identity.kind,
                        identity=row.claimed.raw,
                    ),
                )
            )
    results.sort(key=lambda pair: (pair[0], -pair[1].score, pair[1].server))
    return [hit for _, hit in results[:limit]]
