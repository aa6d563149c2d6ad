"""What bringing a database to the program's revision did, or in a dry run would do; and what a backup holds."""

from mcp_optimizer.domain.models import ItemProblem, Value


class BackupReport(Value):
    """A copy of a database that was compared with it, table by table."""

    file: str
    bytes: int
    tables: int
    rows: int


class OldTableCount(Value):
    """What became of the rows of one old table. Each counts once, by the worst that befell a part of it."""

    table: str
    rows: int
    placed: int
    """Stored as what they were."""
    shared: int = 0
    """Entries (and their tools) that share an identity with another: recorded as its duplicates (C4)."""
    quarantined: int = 0


class QuarantinedRow(Value):
    """An old row that could not be placed. It is kept as it was, secrets and embeddings left out."""

    table: str
    id: str
    name: str
    reason: str


class QuarantinedContent(QuarantinedRow):
    """Such a row with its columns, as JSON."""

    row: str


class ReindexReport(Value):
    """What rebuilding the search index did."""

    indexed: int
    """Rows in the search tables now."""
    damaged: int = 0
    """Stored embeddings that could be none of the model's, and were rebuilt."""
    embedded_texts: int = 0


class CopiedTable(Value):
    """A table that was copied, and compared by count and checksum."""

    table: str
    rows: int


class CopyReport(Value):
    """A store copied from one database to another."""

    source: str
    target: str
    tables: tuple[CopiedTable, ...]
    indexed: int
    """Rows in the target's search tables."""
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


class UpgradeReport(Value):
    """One upgrade. Nothing was, or would be, done exactly when ``done`` is empty."""

    database: str
    shape: str
    """``missing``, ``empty``, ``current``, ``earlier revision``; of the predecessor's: ``split``, ``unified``."""
    from_revision: str | None
    to_revision: str
    done: tuple[str, ...] = ()
    """What was done, in words."""
    backup: BackupReport | None = None
    counts: tuple[OldTableCount, ...] = ()
    linked: int = 0
    autonomous: int = 0
    quarantined: tuple[QuarantinedRow, ...] = ()
    notes: tuple[ItemProblem, ...] = ()
    """What of a row that was placed is not as it was, with the reason."""
    embedded_texts: int = 0
    dry_run: bool = False
    seconds: float = 0.0

    @property
    def facts(self) -> dict[str, str | int]:
        """What a log or a notice says of it: few words."""
        results: dict[str, str | int] = {"done": "; ".join(self.done)}
        if self.backup is not None:
            results["backup"] = self.backup.file
        if self.quarantined:
            results["quarantined"] = len(self.quarantined)
        return results

    @property
    def partial(self) -> bool:
        """Whether some row could not be placed (exit code 3)."""
        return bool(self.quarantined)
