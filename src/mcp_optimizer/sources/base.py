"""What every source offers, whatever it reads from."""

import asyncio
from typing import Protocol, runtime_checkable

from mcp_optimizer.domain.models import Catalog, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback


class LateAnswers:
    """MCP servers that were still being asked for their tools when a listing was handed over, each as a task.

    Whoever gives this to a source awaits the tasks, or closes it.
    """

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[ObservedWorkload]] = set()

    async def close(self) -> None:
        """Stop asking."""
        tasks, self.tasks = self.tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Source(Protocol):
    """Somewhere a catalog, a listing of workloads, or both come from.

    A source that can't be read at all raises :class:`~mcp_optimizer.errors.SourceError`; single items that can't be
    used are in the value it returns, with the reason (B, C5).
    """

    @property
    def label(self) -> str:
        """The source in words that may be shown and stored: never a secret (S7)."""
        ...

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog | None:
        """The catalog; None when this source has none."""
        ...

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing | None:
        """The workloads with their tools; None when this source has none.

        With ``late`` it waits for no slow MCP server: what is still being asked is left there, and named in the
        listing as pending. Without, it waits for all.
        """
        ...


@runtime_checkable
class AddressBook(Source, Protocol):
    """A source that can be asked for the address of one workload."""

    async def endpoint(self, workload: str) -> str | None:
        """Where a workload answers now, with any credential in the address; None where it is not said."""
        ...
