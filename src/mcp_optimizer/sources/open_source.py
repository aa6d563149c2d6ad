"""What a person names as a source, made a :class:`~mcp_optimizer.sources.base.AddressBook`."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.base import AddressBook, LateAnswers
from mcp_optimizer.sources.documents import document_label, is_url, read_document
from mcp_optimizer.sources.kubernetes.source import KubernetesSource
from mcp_optimizer.sources.mcp.tools import with_tools
from mcp_optimizer.sources.registry.pages import Pages
from mcp_optimizer.sources.registry.url import read_url
from mcp_optimizer.sources.snapshots import Snapshot, is_snapshot, parse_snapshot
from mcp_optimizer.sources.toolhive.client import ToolHiveClient
from mcp_optimizer.sources.toolhive.discovery import address_of
from mcp_optimizer.sources.toolhive.source import ToolHiveSource


def open_source(spec: str | None, settings: Settings, *, state_home: Path | None = None) -> AddressBook:
    """The source that ``spec`` names; nothing is read yet.

    None: ToolHive, or the cluster where the settings say that workloads run in one. ``toolhive``: ToolHive,
    discovered. ``kubernetes``: the cluster. An http(s) URL: a registry document or snapshot there, a registry's API,
    or a registry or ToolHive whose base URL it is. ``unix://…``: a ToolHive at this socket. Else: a file, registry
    document or snapshot.
    """
    if spec == "kubernetes" or (spec is None and settings.runtime_mode == "k8s"):
        return KubernetesSource(settings)
    if spec is None or spec == "toolhive":
        return ToolHiveSource(settings, state_home=state_home)
    if spec.lower().startswith("unix://"):
        return _toolhive_at(spec, settings)
    return UrlSource(spec, settings) if is_url(spec) else DocumentSource(spec, settings)


class DocumentSource:
    """A file or URL that holds a registry document or a snapshot: its content tells which. Read at every call."""

    def __init__(self, location: str, settings: Settings, *, ask_servers: bool = True) -> None:
        self._location = location
        self._settings = settings
        self._ask_servers = ask_servers

    @property
    def label(self) -> str:
        """The path, or the URL without what may be secret."""
        return document_label(self._location)

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog | None:
        """The catalog; None when it is a snapshot without one. Raises :class:`SourceError`."""
        return (await self.read(on_progress)).catalog

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing | None:
        """The workloads; None when it is no snapshot, or one without them. Raises :class:`SourceError`.

        Only running ones whose tools the snapshot does not give are asked for them, unless none is to be.
        """
        listing = (await self.read()).listing
        if listing is None or not self._ask_servers:
            return listing
        return await with_tools(listing, self._settings, on_progress, late)

    async def endpoint(self, workload: str) -> str | None:
        """Where a workload answers, as the snapshot says. Raises :class:`SourceError`."""
        listing = (await self.read()).listing
        listed = listing.workloads if listing else ()
        return next((item.endpoint for item in listed if item.name == workload), None)

    async def read(self, on_progress: ProgressCallback | None = None) -> Snapshot:
        """The document as it stands. Raises :class:`SourceError`."""
        try:
            if is_url(self._location):
                pages = await read_url(self._location, self._settings, on_progress)
            else:
                pages = Pages(await read_document(self._location, self._settings))
            return await asyncio.to_thread(self._parsed, pages)
        except SourceError as error:
            message = error.message if self.label in error.message else f"{self.label}: {error.message}"
            raise SourceError(message, remedy=error.remedy) from None

    def _parsed(self, pages: Pages) -> Snapshot:
        if is_snapshot(pages.document):
            return parse_snapshot(pages.document, source=self.label)
        return Snapshot(catalog=pages.catalog(source=self.label), listing=None)


class UrlSource:
    """An http(s) URL: a document, or the base URL of a ToolHive. Which of the two is found out on first use."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings
        self._found: AddressBook | None = None

    @property
    def label(self) -> str:
        """The URL without what may be secret."""
        return self._found.label if self._found else document_label(self._url)

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog | None:
        """The catalog of what is there. Raises :class:`SourceError`."""
        return await (await self._resolved()).catalog(on_progress)

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing | None:
        """The workloads of what is there. Raises :class:`SourceError`."""
        return await (await self._resolved()).workloads(on_progress, late)

    async def endpoint(self, workload: str) -> str | None:
        """Where a workload of what is there answers now. Raises :class:`SourceError`."""
        return await (await self._resolved()).endpoint(workload)

    async def _resolved(self) -> AddressBook:
        """A URL with a path is a document; one without is a ToolHive where one answers."""
        if self._found is None:
            has_path = urlsplit(address_of(self._url).base_url).path.strip("/") != ""
            is_toolhive = not has_path and await self._toolhive_answers()
            self._found = (
                _toolhive_at(self._url, self._settings) if is_toolhive else DocumentSource(self._url, self._settings)
            )
        return self._found

    async def _toolhive_answers(self) -> bool:
        seconds = self._settings.toolhive_timeout
        async with ToolHiveClient(address_of(self._url), seconds=seconds, max_bytes=64 * 1024) as client:
            return await client.healthy() and await client.version() is not None


def _toolhive_at(url: str, settings: Settings) -> ToolHiveSource:
    return ToolHiveSource(settings.model_copy(update={"toolhive_url": url}))
