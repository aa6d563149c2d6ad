"""A catalog in pages, put together to one document: by cursor, by links, or by page number (C6).

The official registry's API goes on by cursor, ToolHive's by page and limit; others name the next page in a link.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from mcp_optimizer.domain.models import Catalog, ItemProblem
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import HttpStatusError
from mcp_optimizer.sources.json_values import kind_of, reason_of
from mcp_optimizer.sources.registry.catalog_parts import listed_items
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.registry.paging import cursor_of, next_link_of, says_more, total_of
from mcp_optimizer.sources.toolhive.client import ToolHiveClient

_TOOLHIVE_PAGE_SIZE: Final = 200
_MAX_PAGES: Final = 5000
_MAX_RETRIES: Final = 3
_MAX_WAIT_SECONDS: Final = 30.0
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})


class Answer(NamedTuple):
    """One page as it came; ``next_link`` is what a header names as the next."""

    document: object
    next_link: str = ""


type GetPage = Callable[[str], Awaitable[Answer]]


class Pages(NamedTuple):
    """What all pages hold together, as one document. ``problem`` says why it is not the whole."""

    document: object
    problem: ItemProblem | None = None

    def catalog(self, *, source: str) -> Catalog:
        """The catalog; incomplete where a page is missing (C6)."""
        catalog = parse_catalog(self.document, source=source)
        if self.problem is None:
            return catalog
        return catalog.model_copy(update={"complete": False, "skipped": (*catalog.skipped, self.problem)})


async def paged_catalog(
    client: ToolHiveClient, path: str, *, source: str, on_progress: ProgressCallback | None = None
) -> Catalog:
    """The catalog from all pages at ``path`` of a ToolHive. Raises SourceError when not even the first is available.

    When a later page is missing, the catalog is incomplete (C6) and says in ``skipped`` which.
    """

    async def get(address: str) -> Answer:
        return Answer(await client.get_json(address))

    address = f"{path}?page=1&limit={_TOOLHIVE_PAGE_SIZE}"
    first = await get(address)
    if listed_items(first.document) is None:
        given = kind_of(first.document)
        raise SourceError(f"ToolHive {client.address.label} gave {given} instead of a list of servers")
    pages = await follow_pages(get, address, first, page_size=_TOOLHIVE_PAGE_SIZE, on_progress=on_progress)
    return await asyncio.to_thread(pages.catalog, source=source)


async def follow_pages(
    get: GetPage,
    address: str,
    first: Answer,
    *,
    page_size: int | None = None,
    on_progress: ProgressCallback | None = None,
) -> Pages:
    """All pages from ``first`` on, which was read at ``address``.

    ``page_size``: as many as were asked for, so that a full page has another after it. A listing that changes while it
    is read is read again, once.
    """
    pages = await _Following(get, page_size, on_progress).follow(address, first)
    if pages.problem is None or pages.problem.name != _CHANGED:
        return pages
    try:
        first = await get(address)
    except SourceError:
        return pages
    return await _Following(get, page_size, on_progress).follow(address, first)


_CHANGED: Final = "the catalog"


class _Following:
    """One walk through the pages of a listing."""

    def __init__(self, get: GetPage, page_size: int | None, on_progress: ProgressCallback | None) -> None:
        self._get = get
        self._page_size = page_size
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._items: list[Any] = []
        self._total: int | None = None
        self._guessed = False
        """Whether the page that is read now was only guessed at, from a full one before it."""

    async def follow(self, address: str, page: Answer) -> Pages:
        """The pages from ``page`` on, which was read at ``address``."""
        seen = {address}
        before: list[Any] | None = None
        while True:
            number = len(seen)
            text = _told(page)
            items = listed_items(page.document)
            if items is None or (before is not None and (items == before or not (items or text))):
                return self._ended(number, self._why_useless(items))
            self._items += items
            problem = self._note_total(page)
            self._on_progress(len(self._items), self._total or 0)
            if problem:
                return Pages({"servers": self._items}, ItemProblem(name=_CHANGED, reason=problem))
            following = self._next(address, page, text, number, len(items))
            if not following:
                return Pages(page.document) if before is None else self._ended(number)
            if refusal := _refusal(following, address, seen):
                return self._ended(number + 1, refusal)
            seen.add(following)
            before, address = items, following
            try:
                page = await get_patiently(self._get, address)
            except SourceError as error:
                return self._ended(number + 1, str(error))

    def _why_useless(self, items: list[Any] | None) -> str:
        """Why a page brings nothing; empty where only a guess led to it: an API without pages gives all each time."""
        if items is None:
            return "the page is no list of servers"
        return "" if self._guessed else "the page brings nothing new, though the catalog should go on"

    def _note_total(self, page: Answer) -> str:
        total = total_of(_holders(page.document))
        before, self._total = self._total, total if total is not None else self._total
        if before is not None and total is not None and total != before:
            return f"changed while it was read: it said {before:,} entries, then {total:,}"
        return ""

    def _next(self, address: str, page: Answer, told: str, number: int, items: int) -> str:
        """Where the next page is; empty where this was the last."""
        self._guessed = False
        if told:
            return _joined(address, told)
        holders = _holders(page.document)
        if self._total is not None and len(self._items) >= self._total:
            return ""
        if self._total is not None or says_more(holders):
            return with_query(address, {"page": str(number + 1)})
        self._guessed = bool(self._page_size) and items >= (self._page_size or 0)
        return with_query(address, {"page": str(number + 1)}) if self._guessed else ""

    def _ended(self, number: int, reason: str = "") -> Pages:
        """All that was read; with a ``reason`` the page ``number`` is missing."""
        if reason:
            return Pages({"servers": self._items}, ItemProblem(name=f"page {number}", reason=reason_of(reason)))
        return Pages({"servers": self._items, "total": self._total})


def _refusal(following: str, address: str, seen: Collection[str]) -> str:
    """Why a next page is not asked for; empty where it is."""
    if _origin(following) != _origin(address):
        return "the next page is on another host, which is not asked"
    ends = following not in seen and len(seen) < _MAX_PAGES
    return "" if ends else "the pages of the catalog do not come to an end"


async def get_patiently(get: GetPage, address: str) -> Answer:
    """A page; one that is refused for now is asked for again after as long as its server says, or a moment."""
    for attempt in range(_MAX_RETRIES):
        try:
            return await get(address)
        except HttpStatusError as error:
            if error.status not in _RETRIED:
                raise
            wait = _seconds(error.retry_after)
            if wait is not None and wait > _MAX_WAIT_SECONDS:
                raise
            await asyncio.sleep(0.25 * 2**attempt if wait is None else wait)
    return await get(address)


def _seconds(retry_after: str) -> float | None:
    """Seconds to wait by a Retry-After header, which holds seconds or a date."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _holders(document: object) -> list[Mapping[str, Any]]:
    """The objects that may say more of the listing."""
    holders: list[Mapping[str, Any]] = []
    while isinstance(document, Mapping):
        holders.append(document)
        document = next(
            (document[name] for name in ("data", "registry") if isinstance(document.get(name), Mapping)), None
        )
    return holders


def _told(page: Answer) -> str:
    """What the page itself, or its header, names as the next: a link, or a query; empty where it names none."""
    holders = _holders(page.document)
    cursor = cursor_of(holders)
    if cursor is not None:
        return f"?{urlencode([cursor])}"
    return next_link_of(holders) or page.next_link


def _joined(address: str, told: str) -> str:
    """The address of a next page. A link that differs in its scheme alone was written behind a proxy."""
    if told.startswith("?"):
        return with_query(address, {"page": "", **dict(parse_qsl(told[1:], keep_blank_values=True))})
    joined = urljoin(address, told)
    here, there = urlsplit(address), urlsplit(joined)
    same_host = here.hostname == there.hostname and {here.scheme, there.scheme} == {"http", "https"}
    return urlunsplit(there._replace(scheme=here.scheme, netloc=here.netloc)) if same_host else joined


def with_query(address: str, parameters: Mapping[str, str]) -> str:
    """``address`` with parameters of its query set; an empty one is left out."""
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in parameters]
    query += [(name, value) for name, value in parameters.items() if value]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc
