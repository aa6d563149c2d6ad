"""A source that holds in memory what a test gave it, or fails as told."""

from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.sources.base import LateAnswers


class MemorySource:
    """Satisfies :class:`mcp_optimizer.sources.base.Source`. ``error`` is raised instead of an answer."""

    def __init__(
        self,
        catalog: Catalog | None = None,
        listing: WorkloadListing | None = None,
        *,
        error: Exception | None = None,
        label: str = "memory",
    ) -> None:
        self.label = label
        self._catalog = catalog
        self._listing = listing
        self._error = error

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog | None:
        """The catalog that was given."""
        if self._error is not None:
            raise self._error
        return self._catalog

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing | None:
        """The listing that was given."""
        if self._error is not None:
            raise self._error
        if self._listing is not None and on_progress is not None:
            on_progress(len(self._listing.workloads), len(self._listing.workloads))
        return self._listing
