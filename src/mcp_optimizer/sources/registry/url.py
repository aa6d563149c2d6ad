"""A catalog at a URL: a document, or the API of a registry, read through all its pages (C6)."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2

from mcp_optimizer.config import Settings, cache_directory
from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import HttpStatusError, checked_client, document_label, fetch_bytes, parse_document
from mcp_optimizer.sources.json_values import label_of
from mcp_optimizer.sources.registry.catalog_parts import listed_items, parts_of
from mcp_optimizer.sources.registry.memory import ReadingFile, WholeReading, merged, reading_of
from mcp_optimizer.sources.registry.pages import Answer, Pages, follow_pages, get_patiently, with_query
from mcp_optimizer.sources.snapshots import is_snapshot

_PAGE_SIZE: Final = 100
"""As many as the official registry gives at most."""
_API_PATH: Final = re.compile(r"/v[0-9][0-9a-z.]*/servers/?$")
_API_PATHS: Final = ("/v0.1/servers", "/v0/servers")
_DOCUMENT: Final = re.compile(r"\.(?:json|ya?ml)$", re.IGNORECASE)
_NO_DOCUMENT: Final = frozenset({400, 401, 403, 404, 405, 406, 410, 501})
_PART_PARAMETERS: Final = frozenset({"updated_since", "cursor", "pageToken", "continue"})
_TIMEOUT_FACTOR: Final = 12
"""A whole page may take this many times as long as one request may be silent."""


async def read_url(url: str, settings: Settings, on_progress: ProgressCallback | None = None) -> Pages:
    """What is at ``url``, all pages of it put together. Raises SourceError when not even the first is available.

    Where there is no document, the API of a registry is looked for below it.
    """
    part = _part_asked(url)
    if part:
        pages = await _read(url, settings, on_progress)
        problem = ItemProblem(name="the catalog", reason=f"is not whole: its URL asks for a part (`{part}`)")
        return pages._replace(problem=problem)
    return await _read(url, settings, on_progress)


async def _read(url: str, settings: Settings, on_progress: ProgressCallback | None) -> Pages:
    timeout = settings.toolhive_timeout
    async with checked_client(timeout) as client:
        reader = _Reader(client, timeout * _TIMEOUT_FACTOR, settings.max_document_bytes)
        file = ReadingFile(settings.cache_dir or cache_directory(), url)
        reading = await asyncio.to_thread(file.load, datetime.now(UTC))
        if reading is not None:
            pages = await _changed(reader, reading, on_progress)
            if pages is not None:
                return pages
        opening = await reader.open(url)
        if opening.page_size is None and (
            is_snapshot(opening.answer.document) or listed_items(opening.answer.document) is None
        ):
            return reader.alone(opening.answer)
        begun = datetime.now(UTC)
        pages = await follow_pages(
            reader.get, opening.address, opening.answer, page_size=opening.page_size, on_progress=on_progress
        )
        if opening.page_size is not None:
            await asyncio.to_thread(_remember, file, pages, opening.address, begun)
        return pages


def _remember(file: ReadingFile, pages: Pages, address: str, begun: datetime) -> None:
    """Keep a whole reading of an API that can be asked for changes."""
    items = listed_items(pages.document)
    if items and pages.problem is None and pages.catalog(source="").complete:
        reading = reading_of(items, begun, address)
        if reading is not None:
            file.save(reading)


async def _changed(reader: "_Reader", reading: WholeReading, on_progress: ProgressCallback | None) -> Pages | None:
    """The whole, by what changed since the last reading of it; None where the API does not say that."""
    address = with_query(reading.address, {"updated_since": reading.since})
    try:
        first = await get_patiently(reader.get, address)
    except SourceError:
        return None
    pages = await follow_pages(reader.get, address, first, on_progress=on_progress)
    changes = listed_items(pages.document)
    whole = None if changes is None or pages.problem else merged(reading, changes)
    return None if whole is None else Pages({"servers": whole})


class _NoDocumentError(SourceError):
    """Something answered, but not with a catalog or a snapshot."""


class _Opening(NamedTuple):
    """The first page, and where it was. ``page_size``: as many as were asked for."""

    address: str
    answer: Answer
    page_size: int | None = None


class _Reader:
    """Reads pages, each no larger than a document may be."""

    def __init__(self, client: httpx2.AsyncClient, seconds: float, max_bytes: int) -> None:
        self._client = client
        self._seconds = seconds
        self._max_bytes = max_bytes

    async def get(self, address: str) -> Answer:
        """One page. Raises SourceError."""
        links: list[str] = []

        def note(response: httpx2.Response) -> None:
            links.append(response.links.get("next", {}).get("url", ""))

        data = await fetch_bytes(
            self._client,
            address,
            label=document_label(address),
            max_bytes=self._max_bytes,
            seconds=self._seconds,
            on_response=note,
        )
        try:
            document = await asyncio.to_thread(parse_document, data, location=address)
        except SourceError as error:
            raise _NoDocumentError(error.message, remedy=error.remedy) from None
        return Answer(document, links[0] if links else "")

    async def open(self, url: str) -> _Opening:
        """The first page of what is at ``url``, or of the registry whose base URL it is."""
        if _API_PATH.search(urlsplit(url).path):
            return await self._open_api(url)
        try:
            return _Opening(url, await self._document(url))
        except (HttpStatusError, _NoDocumentError) as failure:
            if not _may_be_base(url, failure):
                raise
            for path in _API_PATHS:
                try:
                    return await self._open_api(_below(url, path))
                except SourceError:
                    continue
            raise

    async def _document(self, url: str) -> Answer:
        """A snapshot or a catalog document."""
        answer = await get_patiently(self.get, url)
        try:
            if not is_snapshot(answer.document):
                parts_of(answer.document)
        except SourceError as error:
            raise _NoDocumentError(f"{document_label(url)}: {error.message}") from None
        return answer

    async def _open_api(self, url: str) -> _Opening:
        """The first page of a registry's API: of each server the latest version, in large pages, where it knows that.

        Raises SourceError when what answers is no list of servers.
        """
        request = _asked(url)
        try:
            answer = await get_patiently(self.get, request)
        except HttpStatusError as refusal:
            if refusal.status not in {400, 422} or request == url:
                raise
            request, answer = url, await self.get(url)
        items = listed_items(answer.document)
        if items == [] and request != url:  # it may take `latest` for the name of a version
            request, answer = url, await get_patiently(self.get, url)
            items = listed_items(answer.document)
        if items is None:
            raise SourceError(f"{document_label(url)} gave no list of servers")
        limit = dict(parse_qsl(urlsplit(request).query)).get("limit", "")
        return _Opening(request, answer, int(limit) if limit.isascii() and limit.isdigit() else None)

    @staticmethod
    def alone(answer: Answer) -> Pages:
        """A document that has no pages; where a header names a next one all the same, it says so."""
        if answer.next_link and isinstance(answer.document, dict) and not is_snapshot(answer.document):
            return Pages({**answer.document, "next": answer.next_link})
        return Pages(answer.document)


def _part_asked(url: str) -> str:
    """The parameter by which a URL asks for changes, or for pages after the first; empty where it does not.

    A search is a choice that a person makes, and what it finds is its whole.
    """
    for name, value in parse_qsl(urlsplit(url).query):
        if name in _PART_PARAMETERS or (name in {"page", "offset", "skip"} and value not in {"", "0", "1"}):
            return label_of(name)
    return ""


def _asked(url: str) -> str:
    """``url`` with what a registry's API is asked for, where the person who gave it does not say otherwise."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    added = {"limit": str(_PAGE_SIZE), "version": "latest"}
    query = urlencode({name: value for name, value in added.items() if name not in given})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query)))))


def _may_be_base(url: str, failure: SourceError) -> bool:
    """Whether a registry may be below ``url``: something answered there, and it was no document."""
    if _DOCUMENT.search(urlsplit(url).path) or urlsplit(url).query:
        return False
    return not isinstance(failure, HttpStatusError) or failure.status in _NO_DOCUMENT


def _below(url: str, path: str) -> str:
    """The address of ``path`` below ``url``, which may have its start already: ``…/v0.1``."""
    parts = urlsplit(url)
    base = re.sub(r"/v0(?:\.1)?$", "", parts.path.rstrip("/"))
    return urlunsplit(parts._replace(path=base + path, fragment=""))
