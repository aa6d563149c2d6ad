"""Saved queries as a person writes them: JSON, a list or one object a line. Pure."""

import json

from pydantic import ValidationError

from mcp_optimizer.domain.views import SavedQuery
from mcp_optimizer.errors import SourceError


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
