"""What an ingestion would take away, and whether that needs a yes (C9). Pure: states in, value out."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from mcp_optimizer.domain.models import Value, Workload
from mcp_optimizer.errors import OptimizerError

if TYPE_CHECKING:
    from mcp_optimizer.domain.reports import IngestReport

_ENTRIES_PER_FREE_REMOVAL: Final = 5
_MAX_FREE_REMOVALS: Final = 3
_LINKS_PER_FREE_END: Final = 10
_MAX_FREE_ENDS: Final = 1
_WORKLOADS_PER_FREE_DELETION: Final = 5
_MAX_FREE_DELETIONS: Final = 3


class Loss(Value):
    """Entries and workloads that would be removed and links that would end, of those that there are."""

    entries: int = 0
    removed: tuple[str, ...] = ()
    links: int = 0
    ended: tuple[str, ...] = ()
    """Workloads that are linked now, and would be autonomous, or gone because a file does not name them."""
    workloads: int = 0
    deleted: tuple[str, ...] = ()
    """Workloads that a file does not name. What a runtime no longer runs is gone, and no loss (L9)."""

    @property
    def needs_yes(self) -> bool:
        """More than a fifth of the entries or workloads (and more than three), or a tenth of the links (and one)."""
        removed, ended, deleted = len(self.removed), len(self.ended), len(self.deleted)
        return (
            (removed > _MAX_FREE_REMOVALS and removed * _ENTRIES_PER_FREE_REMOVAL > self.entries)
            or (ended > _MAX_FREE_ENDS and ended * _LINKS_PER_FREE_END > self.links)
            or (deleted > _MAX_FREE_DELETIONS and deleted * _WORKLOADS_PER_FREE_DELETION > self.workloads)
        )

    @property
    def words(self) -> str:
        """The numbers: "remove 19 of 24 entries and end 11 of 11 links"."""
        parts = []
        if self.removed:
            parts.append(f"remove {len(self.removed)} of {self.entries} entries")
        if self.deleted:
            parts.append(f"delete {len(self.deleted)} of {self.workloads} workloads")
        if self.ended:
            parts.append(f"end {len(self.ended)} of {self.links} links")
        return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)

    def within(self, approved: "Loss") -> bool:
        """Whether whoever approved the other loss has approved of all of this."""
        return (
            set(self.removed) <= set(approved.removed)
            and set(self.ended) <= set(approved.ended)
            and set(self.deleted) <= set(approved.deleted)
        )


def loss_of(
    *,
    entries: int,
    removed: Iterable[str],
    before: Sequence[Workload],
    after: Iterable[Workload],
    deleted: Iterable[Workload] = (),
) -> Loss | None:
    """What is lost between two states; None where nothing is.

    ``entries``: how many there are before. ``removed``: names of those that go, without those whose entry lives on in
    another row. ``deleted``: those that go because a file does not name them, and with them their links.
    """
    linked = {row.id: row.name for row in before if row.linked}
    deleted = list(deleted)
    unlinked = [row.name for row in after if row.id in linked and not row.linked]
    ended = sorted([*unlinked, *(row.name for row in deleted if row.id in linked)])
    gone = sorted(removed)
    if not gone and not ended and not deleted:
        return None
    return Loss(
        entries=entries,
        removed=tuple(gone),
        links=len(linked),
        ended=tuple(ended),
        workloads=len(before) if deleted else 0,
        deleted=tuple(sorted(row.name for row in deleted)),
    )


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
