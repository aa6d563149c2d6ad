"""ToolHive as a source: its registry as catalog, its workloads with details, provenance and tools."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import structlog

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.errors import NotFoundError, SourceError
from mcp_optimizer.sources.base import LateAnswers
from mcp_optimizer.sources.documents import HttpStatusError
from mcp_optimizer.sources.json_values import kind_of, label_of, list_of, object_of, reason_of
from mcp_optimizer.sources.mcp.tools import with_tools
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.registry.pages import paged_catalog
from mcp_optimizer.sources.toolhive.client import ToolHiveAddress, ToolHiveClient, workload_path
from mcp_optimizer.sources.toolhive.discovery import default_state_home, discover
from mcp_optimizer.sources.toolhive.workload_items import (
    endpoint_of,
    is_remote,
    item_name,
    named_items,
    observed_workload,
)

_REGISTRY: Final = "/api/v1beta/registry/default"
_REGISTRY_PAGES: Final = "/registry/default/v0.1/servers"
_WORKLOADS: Final = "/api/v1beta/workloads?all=true"
_TIMEOUT_FACTOR: Final = 12
"""Details and run configurations of all workloads may take this many times as long as one request."""
_REDISCOVERY_PAUSES: Final = (0.0, 0.25, 0.5, 1.0)
"""Seconds before each attempt to find a ToolHive again that was there before: a restart may change its port."""


class ToolHiveSource:
    """A :class:`~mcp_optimizer.sources.base.Source`. It is found on first use and again when it has moved."""

    def __init__(self, settings: Settings, *, state_home: Path | None = None) -> None:
        self._settings = settings
        self._state_home = state_home or default_state_home()
        self._address: ToolHiveAddress | None = None

    @property
    def label(self) -> str:
        """``toolhive``, with its address once that is known."""
        return f"toolhive {self._address.label}" if self._address else "toolhive"

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog:
        """ToolHive's default registry, in pages where the whole is not offered. Raises :class:`SourceError`."""
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            try:
                answer = await client.get_json(_REGISTRY)
            except HttpStatusError as refusal:
                return await self._paged(client, refusal, on_progress)
            if not isinstance(object_of(answer).get("registry"), Mapping):
                refusal = SourceError(f"ToolHive {client.address.label} gave {kind_of(answer)} without a registry")
                return await self._paged(client, refusal, on_progress)
            return await asyncio.to_thread(parse_catalog, answer, source=self.label)

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing:
        """All workloads, with the tools of those that run. Raises :class:`SourceError` when they can't be listed.

        What goes wrong with one workload is that workload's problem; a listing that is not whole is an error (L9).
        """
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            answer = await client.get_json(_WORKLOADS)
            if not isinstance(answer, Mapping) or "workloads" not in answer:
                raise SourceError(f"ToolHive {client.address.label} gave {kind_of(answer)} without `workloads`")
            named = named_items([] if answer["workloads"] is None else answer["workloads"])
            observed = await self._observe(client, named.items)
        listing = WorkloadListing(
            source=self.label, workloads=tuple(observed), problems=named.problems, complete=named.complete
        )
        return await with_tools(listing, self._settings, on_progress, late)

    async def endpoint(self, workload: str) -> str | None:
        """Where a workload's proxy answers now. Raises :class:`SourceError`."""
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            answer = object_of(await client.get_json(_WORKLOADS))
        items = (item for item in list_of(answer.get("workloads")) if item_name(item) == workload)
        return next((endpoint_of(item.get("url")) for item in items), None)

    async def start(self, server: str, *, name: str) -> str | None:
        """Have ToolHive run a server of its registry as workload ``name``; None when that was begun.

        Where there is a workload of that name, nothing is done, and its status is given. Raises NotFoundError when
        ToolHive's registry has no such server, else SourceError.
        """
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            try:
                await client.start_from_registry(
                    server, name=name, seconds=self._settings.toolhive_timeout * _TIMEOUT_FACTOR
                )
            except HttpStatusError as refusal:
                if refusal.status == 409:
                    return await client.status(name)
                if refusal.status == 404:
                    raise NotFoundError(f"ToolHive's registry has no server {label_of(server)}") from None
                raise
        return None

    async def _paged(
        self, client: ToolHiveClient, refusal: SourceError, on_progress: ProgressCallback | None
    ) -> Catalog:
        try:
            return await paged_catalog(client, _REGISTRY_PAGES, source=self.label, on_progress=on_progress)
        except SourceError as error:
            structlog.get_logger().debug("no registry pages either", reason=str(error))
            raise refusal from None

    async def _observe(
        self, client: ToolHiveClient, items: tuple[Mapping[str, Any], ...]
    ) -> tuple[ObservedWorkload, ...]:
        """Every item with its details (a remote's URL) and run configuration (provenance), side by side."""
        gate = asyncio.Semaphore(self._settings.mcp_concurrency)
        deadline = asyncio.get_running_loop().time() + self._settings.toolhive_timeout * _TIMEOUT_FACTOR

        async def part(path: str) -> tuple[Mapping[str, Any], str]:
            try:
                async with asyncio.timeout_at(deadline), gate:
                    return object_of(await client.get_json(path)), ""
            except TimeoutError:
                seconds = self._settings.toolhive_timeout * _TIMEOUT_FACTOR
                return {}, f"ToolHive took longer than {seconds:g} s to describe all workloads"
            except SourceError as error:
                structlog.get_logger().info("part of a workload not read", reason=reason_of(error))
                return {}, reason_of(error)

        async def observe(item: Mapping[str, Any]) -> ObservedWorkload:
            name = item_name(item)
            export, _ = await part(workload_path(name, "export"))
            details, problem = await part(workload_path(name)) if is_remote(item) else ({}, "")
            return observed_workload(item, details=details, export=export, details_problem=problem)

        return tuple(await asyncio.gather(*map(observe, items)))

    async def _client(self, stack: AsyncExitStack) -> ToolHiveClient:
        """A client for the ToolHive found before if it is still there, else for the one found now."""
        known = self._address
        if known is not None:
            client = await stack.enter_async_context(self._client_for(known))
            if await client.healthy():
                return client
        self._address = await self._discover(_REDISCOVERY_PAUSES if known else (0.0,))
        structlog.get_logger().info("ToolHive found", address=self._address.label, version=self._address.version)
        return await stack.enter_async_context(self._client_for(self._address))

    async def _discover(self, pauses: tuple[float, ...]) -> ToolHiveAddress:
        for pause in pauses[:-1]:
            await asyncio.sleep(pause)
            try:
                return await discover(self._settings, state_home=self._state_home)
            except SourceError:
                continue
        await asyncio.sleep(pauses[-1])
        return await discover(self._settings, state_home=self._state_home)

    def _client_for(self, address: ToolHiveAddress) -> ToolHiveClient:
        return ToolHiveClient(
            address, seconds=self._settings.toolhive_timeout, max_bytes=self._settings.max_document_bytes
        )
