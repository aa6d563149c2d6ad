"""One upgrade, from whatever there is: looked at, planned, embedded, backed up, then done in one transaction.

Nothing of the database changes before the last step; whatever fails leaves it as it was. A dry run ends at the plan.
"""

import asyncio
import contextlib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db import migrations as revisions
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.domain.upgrade_report import BackupReport, QuarantinedRow, UpgradeReport
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.maintenance.backup import back_up_once

if TYPE_CHECKING:
    from mcp_optimizer.legacy import OldDatabase
    from mcp_optimizer.legacy.conversion import ConversionPlan

_ATTEMPTS: Final = 8


class Upgrader:
    """Upgrades one store."""

    def __init__(self, store: Store, embedder: Embedder, runtime: Runtime) -> None:
        self._store = store
        self._database: Database = store.database
        self._embedder = embedder
        self._runtime = runtime

    async def run(self, *, dry_run: bool = False, on_progress: ProgressCallback | None = None) -> UpgradeReport:
        """Bring the open database to HEAD; what was done. Raises StoreError, and changes nothing, where it can't.

        A newer database, or one of another program, is refused. Twice is once: an up-to-date one is left alone.
        """
        start = self._runtime.monotonic()
        old = None if await self._up_to_date() else await self._predecessor()
        if old is not None:
            report = await self._convert(old, on_progress, dry_run=dry_run)
        else:
            report = await self._own(dry_run=dry_run)
        return report.model_copy(update={"seconds": round(self._runtime.monotonic() - start, 3)})

    def preview_of_missing(self) -> UpgradeReport | None:
        """The dry run of a database that is not there yet, so that looking makes none; None where there is one."""
        with contextlib.suppress(StoreError):
            if not self._database.path.exists():
                return UpgradeReport(
                    database=self._database.label,
                    shape="missing",
                    from_revision=None,
                    to_revision=revisions.HEAD,
                    done=(f"make a database at revision {revisions.HEAD}",),
                    dry_run=True,
                )
        return None

    async def _up_to_date(self) -> bool:
        async with self._database.reading() as connection:
            return await revisions.is_current(connection)

    async def _predecessor(self) -> "OldDatabase | None":
        try:
            path = self._database.path
        except StoreError:  # no file: the predecessor never had a server
            return None
        from mcp_optimizer.legacy import read_file  # noqa: PLC0415 (most databases were never the predecessor's)

        return await read_file(path)

    async def _own(self, *, dry_run: bool) -> UpgradeReport:
        """A database of this program's, or an empty one."""
        current = await revisions.stored_revision(self._database)
        shape = "empty" if current is None else "current" if current == revisions.HEAD else "earlier revision"
        report = UpgradeReport(
            database=self._database.label,
            shape=shape,
            from_revision=current,
            to_revision=revisions.HEAD,
            dry_run=dry_run,
        )
        if current == revisions.HEAD:
            return report
        await asyncio.to_thread(importlib.import_module, "alembic.script")  # long, and there may be screens to paint
        revisions.refuse_newer(current)
        if dry_run:
            return report.model_copy(
                update={"done": (f"upgrade from {current or 'an empty database'} to {revisions.HEAD}",)}
            )
        backup = None if current is None else await self._back_up(current)
        done = await revisions.upgrade(self._database, self._embedder)
        return report.model_copy(update={"done": tuple(done), "backup": backup})

    async def _convert(
        self, old: "OldDatabase", on_progress: ProgressCallback | None, *, dry_run: bool
    ) -> UpgradeReport:
        """A predecessor's database. Planned again whenever another program has written to it meanwhile."""
        from mcp_optimizer.legacy.conversion import Conversion  # noqa: PLC0415

        conversion = Conversion(self._store, self._embedder, self._runtime)
        await self._embedder.dimension()  # a model that can't be loaded is better known at once
        for _ in range(_ATTEMPTS):
            plan = await conversion.plan(old)
            if dry_run:
                return self._report(plan, embedded=len(plan.texts), dry_run=True)
            await asyncio.to_thread(importlib.import_module, "alembic.command")
            embedded = await conversion.embed(plan, on_progress)
            backup = await self._back_up(old.revision or str(old.shape))
            if await conversion.apply(plan):
                await self._database.close()  # a database that is ours is opened in another journal mode
                await self._database.open()
                return self._report(plan, embedded=embedded, backup=backup)
            again = await self._predecessor()
            if again is None:  # another process was faster
                return await self._own(dry_run=False)
            old = again
        raise StoreBusyError("other programs kept changing the database", remedy="stop them, and try again")

    def _report(
        self, plan: "ConversionPlan", *, embedded: int, backup: BackupReport | None = None, dry_run: bool = False
    ) -> UpgradeReport:
        shape, revision = plan.old.shape, plan.old.revision
        words = "convert" if dry_run else "converted"
        named = (
            f"{words} the older program's database ({shape} tables, revision {revision or 'none'}) to {revisions.HEAD}"
        )
        return UpgradeReport(
            database=self._database.label,
            shape=shape,
            from_revision=revision,
            to_revision=revisions.HEAD,
            done=(named,),
            backup=backup,
            counts=plan.counts,
            linked=plan.linked,
            autonomous=len(plan.workloads.changes) - plan.linked,
            quarantined=tuple(
                QuarantinedRow(table=row.origin, id=row.origin_id, name=row.name, reason=row.reason)
                for row in plan.refused
            ),
            notes=tuple(plan.placement.notes),
            embedded_texts=embedded,
            dry_run=dry_run,
        )

    async def _back_up(self, revision: str) -> BackupReport | None:
        """A verified copy beside the database; None for one that is no file (its server has its own means)."""
        try:
            path = self._database.path
        except StoreError:
            return None
        return await back_up_once(path, backup_path(path, revision))


def backup_path(path: Path, revision: str) -> Path:
    """Where the copy of a database at ``revision`` goes before it is upgraded."""
    return path.with_name(f"{path.name}.before-{revisions.HEAD}-was-{revision}")
