"""Saved queries: whether search still finds what it is known to find."""

from collections.abc import Sequence

from mcp_optimizer.domain.views import SavedQuery, SavedResult, SearchQuery
from mcp_optimizer.search.hybrid import Search

_DEPTH = 200


async def check_saved(search: Search, saved: Sequence[SavedQuery]) -> list[SavedResult]:
    """Ask each query, and say at which place its right answers are now."""
    results: list[SavedResult] = []
    for item in saved:
        hits = await search.run(SearchQuery(text=item.query, scope=item.scope, limit=max(_DEPTH, item.within)))
        places: dict[str, int] = {}
        for place, hit in enumerate(hits, start=1):
            places.setdefault(f"{hit.server}/{hit.tool}", place)
        results.append(
            SavedResult(query=item.query, within=item.within, places={name: places.get(name) for name in item.expect})
        )
    return results
