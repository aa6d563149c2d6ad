"""A Kubernetes cluster as a source: the custom resources of ToolHive's operator are its workloads."""

import asyncio
import os
from collections.abc import Mapping

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.base import LateAnswers
from mcp_optimizer.sources.kubernetes.access import api_server_url
from mcp_optimizer.sources.kubernetes.client import KubernetesClient
from mcp_optimizer.sources.kubernetes.items import ResourceKind
from mcp_optimizer.sources.kubernetes.listing import ResourceListing, assemble, refuse_nothing_read
from mcp_optimizer.sources.mcp.tools import with_tools
from mcp_optimizer.text import redact_url

_CONCURRENCY = 8


class KubernetesSource:
    """A :class:`~mcp_optimizer.sources.base.Source`. Token and certificates are read again for every listing."""

    def __init__(self, settings: Settings, *, environment: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environment = environment
        self._holders: Mapping[str, ResourceKind] = {}

    @property
    def label(self) -> str:
        """``kubernetes``, with the address of the API server where that is known."""
        try:
            return f"kubernetes {redact_url(api_server_url(self._settings, self._environment))}"
        except SourceError:
            return "kubernetes"

    async def catalog(self, on_progress: ProgressCallback | None = None) -> None:
        """A cluster has workloads and no catalog."""
        return

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing:
        """All workloads of the namespaces that are looked into, with the tools of those that run.

        Raises :class:`SourceError` when nothing could be read. When some kind or namespace could not, the listing has
        the others and is incomplete (L9).
        """
        return await with_tools(await self._listing(), self._settings, on_progress, late)

    async def endpoint(self, workload: str) -> str | None:
        """Where a workload answers now. Raises :class:`SourceError`."""
        listed = (await self._listing()).workloads
        return next((item.endpoint for item in listed if item.name == workload), None)

    async def _listing(self) -> WorkloadListing:
        async with await KubernetesClient.opened(self._settings, self._environment) as client:
            result = await every_kind(client, namespaces_of(self._settings))
        refuse_nothing_read(result)
        listing, self._holders = await asyncio.to_thread(assemble, result, source=self.label, holders=self._holders)
        return listing


def namespaces_of(settings: Settings) -> tuple[str, ...]:
    """The namespaces to look into, each once; one empty name stands for all of them."""
    named = tuple(dict.fromkeys(filter(None, map(str.strip, settings.k8s_namespace.split(",")))))
    return named or ("",)


async def every_kind(
    client: KubernetesClient, namespaces: tuple[str, ...], *, only_first: bool = False
) -> tuple[ResourceListing, ...]:
    """What the cluster has of every kind in every namespace, side by side."""
    gate = asyncio.Semaphore(_CONCURRENCY)

    async def one(kind: ResourceKind, namespace: str) -> ResourceListing:
        async with gate:
            return await client.listed(kind, namespace, only_first=only_first)

    return tuple(await asyncio.gather(*(one(kind, namespace) for kind in ResourceKind for namespace in namespaces)))
