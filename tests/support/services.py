"""Driving a service with sources that are no files."""

from typing import Any

from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.domain.progress import IngestProgressCallback
from mcp_optimizer.domain.reports import CheckReport, IngestPart, IngestReport
from mcp_optimizer.domain.views import RegistryServerDetail, WorkloadDetail
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.base import Source
from tests.support.sources import MemorySource


async def ingest(
    service: DataService,
    catalog: Catalog | None = None,
    listing: WorkloadListing | None = None,
    *,
    dry_run: bool = False,
    on_progress: IngestProgressCallback | None = None,
) -> IngestReport:
    """Ingest what is given: both halves, or one."""
    part = IngestPart.ALL
    if catalog is None or listing is None:
        part = IngestPart.WORKLOADS if catalog is None else IngestPart.REGISTRY
    return await ingest_source(service, MemorySource(catalog, listing), part, dry_run=dry_run, on_progress=on_progress)


async def ingest_source(
    service: DataService,
    source: Source,
    part: IngestPart = IngestPart.ALL,
    *,
    dry_run: bool = False,
    on_progress: IngestProgressCallback | None = None,
) -> IngestReport:
    """Ingest any source, whatever that takes away: the service itself opens sources by their name."""
    return await service._ingestion.run(part, source, dry_run=dry_run, allow_loss=True, on_progress=on_progress)


def same_outcome(report: IngestReport) -> dict[str, Any]:
    """What a dry run and the run it foretells have in common."""
    return report.model_dump(exclude={"seconds", "dry_run"})


def wrong(report: CheckReport) -> dict[str, str]:
    """What a check found wrong."""
    return {finding.name: finding.detail for finding in report.findings if not finding.ok}


async def assert_sound(service: DataService) -> None:
    """Core tables, search tables and relations agree (S3)."""
    assert wrong(await service.check()) == {}


async def workloads_by_name(service: DataService) -> dict[str, WorkloadDetail]:
    """Every workload in detail."""
    return {view.name: await service.workload(view.name) for view in await service.workloads()}


async def registry_by_name(service: DataService) -> dict[str, RegistryServerDetail]:
    """Every registry server in detail."""
    return {view.name: await service.registry_server(view.id) for view in await service.registry_servers()}
