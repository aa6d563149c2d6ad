"""The queries that running servers answered, fit to be stored: to see why an agent did not find a tool."""

from collections.abc import Iterable
from typing import Final

from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.views import Scope, SearchHit, SearchQuery
from mcp_optimizer.text import redact_message, shorten, to_storable

_MAX_QUERY: Final = 1000
_MAX_READ: Final = 4000
"""Characters of a query that are looked at; a request may hold megabytes."""
_MAX_HITS: Final = 50


class QueryHit(Value):
    """A tool that was returned, with its ranks (Q3)."""

    server: str
    tool: str
    scope: Scope = Scope.WORKLOAD
    score: float = 0.0
    semantic_rank: int | None = None
    semantic_distance: float | None = None
    text_rank: int | None = None
    exact_name: bool = False
    tokens: int = 0


class QueryRecord(Value):
    """A query that an agent asked, and what it was given. Make it with :func:`query_record`."""

    kind: str
    """The tool that was called: find_tool or search_registry."""
    text: str
    keywords: str = ""
    hits: tuple[QueryHit, ...] = ()
    """What was returned, best first."""
    baseline_tokens: int = 0
    returned_tokens: int = 0
    milliseconds: float = 0.0
    error: str | None = None
    request_id: str = ""
    server_id: str = ""
    token: str = ""
    """The name of the token that it was asked with; empty where there is only one, or none."""
    session: str = ""
    """What tells the client's session from others, not its id; empty where it has none."""
    limit: int | None = None
    """Most tools that the agent could be given; None in records of earlier programs, which do not tell."""
    visibility: AgentVisibility | None = None
    """Which workloads the server's settings and the token let the agent see."""
    semantic_ratio: float = 0.5
    max_distance: float | None = None

    def search_query(self) -> SearchQuery:
        """The search as it was asked: same scope, limit, visibility, ratio and threshold (Q5)."""
        scope = Scope.REGISTRY if self.kind == "search_registry" else Scope.WORKLOAD
        query = SearchQuery(text=self.text, keywords=self.keywords, scope=scope)
        if self.limit is None:
            return query
        names = ("limit", "visibility", "semantic_ratio", "max_distance")
        return query.model_copy(update={name: getattr(self, name) for name in names})


class QueryView(QueryRecord):
    """A recorded query. ``sequence`` grows by time; ``at`` is when it was stored, some seconds after it was asked."""

    sequence: int
    at: str


def query_record(
    kind: str,
    text: str,
    *,
    keywords: str = "",
    hits: Iterable[SearchHit] = (),
    query: SearchQuery | None = None,
    baseline_tokens: int = 0,
    returned_tokens: int = 0,
    milliseconds: float = 0.0,
    error: str | None = None,
    request_id: str = "",
    server_id: str = "",
    token: str = "",
    session: str = "",
) -> QueryRecord:
    """A record that may be stored: texts printable, bounded, URLs in them without secrets (S7)."""
    return QueryRecord(
        kind=kind,
        text=_kept(text),
        keywords=_kept(keywords),
        hits=tuple(_hit(hit) for hit, _ in zip(hits, range(_MAX_HITS), strict=False)),
        baseline_tokens=baseline_tokens,
        returned_tokens=returned_tokens,
        milliseconds=round(milliseconds, 3),
        error=None if error is None else _kept(error),
        request_id=_kept(request_id)[:64],
        server_id=server_id,
        token=_kept(token)[:64],
        session=session,
        limit=query.limit if query else None,
        visibility=query.visibility if query else None,
        semantic_ratio=query.semantic_ratio if query else 0.5,
        max_distance=query.max_distance if query else None,
    )


def _kept(text: str) -> str:
    return shorten(redact_message(to_storable(text[:_MAX_READ])), _MAX_QUERY).strip()


def _hit(hit: SearchHit) -> QueryHit:
    return QueryHit(**{name: getattr(hit, name) for name in QueryHit.model_fields})
