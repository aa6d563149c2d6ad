"""One ingestion under way: what it reads, how far it is, how long it takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_optimizer.clock import Runtime
from mcp_optimizer.domain.models import Catalog, ItemProblem, WorkloadListing
from mcp_optimizer.domain.progress import IngestProgressCallback
from mcp_optimizer.domain.reports import IngestPart, IngestPhase, IngestProgress
from mcp_optimizer.errors import NothingThereError, SourceError
from mcp_optimizer.sources.base import LateAnswers, Source
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.operations.ingest_plan import ChooseListing


@dataclass(frozen=True)
class Reading:
    """What a source gave."""

    catalog: Catalog | None
    choose_listing: "ChooseListing"
    unread: tuple[ItemProblem, ...] = ()
    """Halves that it could not give, with the reason; see ``IngestReport.unread``."""
    selected: bool = False
    """The listing holds some workloads on purpose, and is whole in that sense."""


class IngestRun:
    """One ingestion under way."""

    def __init__(self, part: IngestPart, source: Source, runtime: Runtime, on_progress: IngestProgressCallback) -> None:
        self.part = part
        self.source = source
        self.id = runtime.new_id()
        self.started_at = runtime.timestamp()
        self.embedded = 0
        """Texts embedded so far, also for plans that had to be made again."""
        self.unembedded: set[str] = set()
        """Texts that a dry run found in need of an embedding."""
        self._on_progress = on_progress
        self._monotonic = runtime.monotonic
        self._start = runtime.monotonic()

    @property
    def embedded_texts(self) -> int:
        """Texts embedded, or in a dry run to be embedded; each counts once."""
        return self.embedded + len(self.unembedded)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._monotonic() - self._start

    def progress(self, phase: IngestPhase, done: int = 0, total: int = 0, *, detail: str = "") -> None:
        """Tell how far it is."""
        self._on_progress(IngestProgress(phase=phase, done=done, total=total, detail=detail))

    async def read(self, late: LateAnswers | None) -> Reading:
        """Everything that is asked for, read before anything is written.

        Where both halves are, one that can't be read does not keep the other from being ingested. Raises SourceError.
        """
        self.progress(IngestPhase.FETCH, detail=self.source.label)
        catalog: Catalog | None = None
        listing: WorkloadListing | None = None
        errors: dict[str, SourceError] = {}
        if self.part is not IngestPart.WORKLOADS:
            try:
                catalog = await self.source.catalog(
                    lambda done, total: self.progress(IngestPhase.FETCH, done, total, detail=self.source.label)
                )
            except SourceError as error:
                errors["registry"] = error
        if self.part is not IngestPart.REGISTRY:
            try:
                listing = await self.source.workloads(
                    lambda done, total: self.progress(IngestPhase.TOOLS, done, total), late
                )
            except SourceError as error:
                errors["workloads"] = error
        if catalog is None and listing is None:
            for error in errors.values():
                raise error
            what = {"registry": "registry", "workloads": "workloads", "all": "registry and no workloads"}[self.part]
            raise NothingThereError(f"{self.source.label} holds no {what}")
        unread = tuple(
            ItemProblem(name=half, reason=redact_message(str(error))) for half, error in sorted(errors.items())
        )
        return Reading(catalog, lambda _: listing, unread)
