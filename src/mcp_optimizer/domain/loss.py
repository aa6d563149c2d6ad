"""What an ingestion would take away, and whether that needs a yes (C9). Pure: states in, value out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mcp_optimizer.domain.models import Value, Workload
from mcp_optimizer.errors import OptimizerError

if TYPE_CHECKING:
    from mcp_optimizer.domain.reports import IngestReport

_ENTRIES_PER_FREE_REMOVAL: Final = 5
_MAX_FREE_REMOVALS: Final = 3
_LINKS_PER_FREE_END: Final = 10
_MAX_FREE_ENDS: Final = 1


class Loss(Value):
    """Entries that would be removed and links that would end, of those that there are."""

    entries: int = 0
    removed: tuple[str, ...] = ()
    links: int = 0
    ended: tuple[str, ...] = ()
    """Workloads that are linked now, and would be autonomous. One that is deleted loses no link."""

    @property
    def needs_yes(self) -> bool:
        """More than a fifth of the entries (and more than three), or a tenth of the links (and more than one)."""
        removed, ended = len(self.removed), len(self.ended)
        return (removed > _MAX_FREE_REMOVALS and removed * _ENTRIES_PER_FREE_REMOVAL > self.entries) or (
            ended > _MAX_FREE_ENDS and ended * _LINKS_PER_FREE_END > self.links
        )

    @property
    def words(self) -> str:
        """The numbers: "remove 19 of 24 entries and end 11 of 11 links"."""
        parts = []
        if self.removed:
            parts.append(f"remove {len(self.removed)} of {self.entries} entries")
        if self.ended:
            parts.append(f"end {len(self.ended)} of {self.links} links")
        return " and ".join(parts)

    def within(self, approved: "Loss") -> bool:
        """Whether whoever approved the other loss has approved of all of this."""
        return set(self.removed) <= set(approved.removed) and set(self.ended) <= set(approved.ended)


def loss_of(
    *, entries: int, removed: Iterable[str], before: Iterable[Workload], after: Iterable[Workload]
) -> Loss | None:
    """What is lost between two states; None where nothing is.

    ``entries``: how many there are before. ``removed``: names of those that go, without those whose entry lives on in
    another row.
    """
    linked = {row.id: row.name for row in before if row.linked}
    ended = sorted(row.name for row in after if row.id in linked and not row.linked)
    gone = sorted(removed)
    if not gone and not ended:
        return None
    return Loss(entries=entries, removed=tuple(gone), links=len(linked), ended=tuple(ended))


class LargeLossError(OptimizerError):
    """An ingestion would take away so much that it needs a yes; nothing was changed (C9).

    ``report`` is that of a dry run.
    """

    def __init__(self, source: str, loss: Loss, report: "IngestReport") -> None:
        super().__init__(
            f"{source} would {loss.words}; nothing was changed",
            remedy="see that this is the right source; where it is meant, `ingest` with --yes does it",
        )
        self.loss = loss
        self.report = report
