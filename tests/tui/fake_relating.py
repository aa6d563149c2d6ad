"""The relation methods of the service in memory: they do to the views what the real ones do to the store."""

from collections.abc import Callable, Sequence
from typing import Any

from mcp_optimizer.domain.identity import container_identity
from mcp_optimizer.domain.models import Duplicate, ItemProblem, Relation
from mcp_optimizer.domain.reports import LinkReport, RelationReport, ResolutionReport
from mcp_optimizer.domain.views import RegistryServerView, WorkloadView
from mcp_optimizer.errors import NotFoundError


class FakeRelating:
    """Re-match, link, unlink, resolve."""

    registry: list[RegistryServerView]
    views: list[WorkloadView]
    tell: Callable[..., None]
    _answer: Callable[..., Any]

    def _named(self, names: Sequence[str] | None) -> list[WorkloadView]:
        rows = [view for view in self.views if view.id]
        unknown = set(names or ()) - {view.name for view in rows}
        if unknown:
            raise NotFoundError(f"no workload named {', '.join(sorted(unknown))}", remedy="`workload list` shows all")
        return [view for view in rows if names is None or view.name in names]

    def _relate(self, view: WorkloadView, server: str | None) -> None:
        relation = Relation.LINKED if server else Relation.AUTONOMOUS
        change = {"registry_server": server, "relation": relation, "linkable_to": None, "drift": None}
        self.views = [w.model_copy(update=change) if w.name == view.name else w for w in self.views]

    async def rematch(self, names: Sequence[str] | None = None, *, dry_run: bool = False) -> RelationReport:
        await self._answer("rematch", None if names is None else tuple(names), dry_run)
        linked, unchanged = [], []
        for view in self._named(names):
            if view.linkable_to:
                linked.append(LinkReport(workload=view.name, registry_server=view.linkable_to))
                if not dry_run:
                    self._relate(view, view.linkable_to)
            else:
                unchanged.append(ItemProblem(name=view.name, reason="stays as it is"))
        return self._told(RelationReport(linked=tuple(linked), unchanged=tuple(unchanged), dry_run=dry_run))

    async def link(self, name: str, registry_server: str, *, dry_run: bool = False) -> RelationReport:
        await self._answer("link", name, registry_server, dry_run)
        (view,) = self._named([name])
        if not dry_run:
            self._relate(view, registry_server)
        link = LinkReport(workload=name, registry_server=registry_server, before=view.registry_server)
        return self._told(RelationReport(linked=(link,), reembedded_texts=4, dry_run=dry_run))

    async def unlink(self, names: Sequence[str], *, dry_run: bool = False) -> RelationReport:
        await self._answer("unlink", tuple(names), dry_run)
        unlinked, unchanged = [], []
        for view in self._named(names):
            if view.registry_server is None:
                unchanged.append(ItemProblem(name=view.name, reason="is autonomous already"))
                continue
            unlinked.append(view.name)
            if not dry_run:
                self._relate(view, None)
        report = RelationReport(unlinked=tuple(unlinked), unchanged=tuple(unchanged), dry_run=dry_run)
        return self._told(report)

    async def resolve(self, identity: str, name: str, *, dry_run: bool = False) -> ResolutionReport:
        await self._answer("resolve", identity, name, dry_run)
        server = next(view for view in self.registry if view.identity == identity)
        names = tuple(sorted((server.name, *server.duplicates)))
        if not dry_run:
            self.registry = [
                view.model_copy(update={"name": name, "duplicates": ()}) if view is server else view
                for view in self.registry
            ]
        waiting = tuple(view.name for view in self.views if view.identity == identity and not view.id)
        renamed = server.name if server.name != name else None
        return self._told(
            ResolutionReport(
                identity=identity, chosen=name, names=names, renamed_from=renamed, waiting=waiting, dry_run=dry_run
            )
        )

    def _told[R: RelationReport | ResolutionReport](self, report: R) -> R:
        if not report.dry_run:
            self.tell()
        return report


def duplicate_of(server: RegistryServerView) -> Duplicate | None:
    """The duplicate that a registry server stands for."""
    if not server.duplicates:
        return None
    names = tuple(sorted((server.name, *server.duplicates)))
    return Duplicate(identity=container_identity(server.identity), names=names)
