"""Saved queries: whether search still finds what it is known to find."""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from mcp_optimizer.domain.views import SavedQuery, SavedResult, SearchQuery
from mcp_optimizer.errors import SourceError
from mcp_optimizer.search.hybrid import Search

_DEPTH = 200


def parse_saved(content: str) -> list[SavedQuery]:
    """Saved queries from a JSON list, or from one JSON object a line. Raises SourceError, naming what is wrong."""
    try:
        if content.lstrip().startswith("["):
            items = json.loads(content)
        else:
            items = [json.loads(line) for line in content.splitlines() if line.strip()]
        return [SavedQuery.model_validate(item) for item in items]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "a saved query"
        raise SourceError(f"not saved queries: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"not saved queries: {error}", remedy='give {"query": …, "expect": ["SERVER/TOOL"]}'
        ) from None


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
