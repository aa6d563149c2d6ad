"""A catalog in pages, as ``/v0.1/servers`` gives it: by page number or by cursor, put together to one document."""

from typing import Any, Final, NamedTuple
from urllib.parse import quote

from mcp_optimizer.domain.models import Catalog, ItemProblem
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of, object_of, reason_of, text_of
from mcp_optimizer.sources.registry_documents import parse_catalog
from mcp_optimizer.sources.toolhive_client import ToolHiveClient

_PAGE_SIZE: Final = 200
_MAX_PAGES: Final = 1000


class _Page(NamedTuple):
    servers: list[Any]
    cursor: str
    total: int | None


async def paged_catalog(client: ToolHiveClient, path: str, *, source: str) -> Catalog:
    """The catalog from all pages at ``path``. Raises :class:`SourceError` when not even the first can be had.

    When a later page is missing, the catalog is incomplete (C6) and says in ``skipped`` which.
    """
    page = await _page(client, f"{path}?page=1&limit={_PAGE_SIZE}")
    servers = list(page.servers)
    number = 1
    problem = ""
    cursors: set[str] = set()
    while _more(page, len(servers)):
        number += 1
        if number > _MAX_PAGES or page.cursor in cursors:
            problem = "the pages of the catalog do not come to an end"
            break
        if page.cursor:
            cursors.add(page.cursor)
        which = f"cursor={quote(page.cursor, safe='')}" if page.cursor else f"page={number}"
        try:
            following = await _page(client, f"{path}?{which}&limit={_PAGE_SIZE}")
        except SourceError as error:
            problem = str(error)
            break
        if following.servers == page.servers or not (following.servers or following.cursor):
            problem = f"page {number} brings nothing new, though the catalog should go on"
            break
        page = following
        servers += page.servers
    return _catalog(servers, number, problem, source)


def _catalog(servers: list[Any], number: int, problem: str, source: str) -> Catalog:
    catalog = parse_catalog({"servers": servers}, source=source)
    if not problem:
        return catalog
    missing = ItemProblem(name=f"page {number}", reason=reason_of(problem))
    return catalog.model_copy(update={"complete": False, "skipped": (*catalog.skipped, missing)})


async def _page(client: ToolHiveClient, path: str) -> _Page:
    answer = await client.get_json(path)
    servers = object_of(answer).get("servers", answer)
    if servers is None:
        servers = []
    if not isinstance(servers, list):
        raise SourceError(f"ToolHive {client.address.label} gave {kind_of(servers)} instead of a list of servers")
    metadata = object_of(object_of(answer).get("metadata"))
    total = metadata.get("total")
    cursor = text_of(metadata.get("nextCursor") or metadata.get("next_cursor"))
    return _Page(servers, cursor, total if isinstance(total, int) and not isinstance(total, bool) else None)


def _more(page: _Page, so_far: int) -> bool:
    """Whether there is a page after this one: a cursor says so, or the total, or a page that is full."""
    if page.cursor:
        return True
    if page.total is not None:
        return so_far < page.total
    return len(page.servers) >= _PAGE_SIZE
