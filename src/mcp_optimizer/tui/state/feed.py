"""What the areas show, read from the service in one place: loaded when needed, marked stale by changes."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.serving.presence import is_alive
from mcp_optimizer.domain.views import ChangeView, Overview, ProblemView, RegistryServerView, RunView, WorkloadView

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


class Resource(StrEnum):
    """A list of the service, or its overview."""

    OVERVIEW = "overview"
    REGISTRY = "registry"
    WORKLOADS = "workloads"
    RUNS = "runs"
    PROBLEMS = "problems"
    CHANGES = "changes"
    QUERIES = "queries"
    GROUPS = "groups"


_TOUCHED: dict[str, frozenset[Resource]] = {
    "registry": frozenset({Resource.REGISTRY, Resource.WORKLOADS, Resource.PROBLEMS}),
    "workload": frozenset({Resource.REGISTRY, Resource.WORKLOADS, Resource.GROUPS, Resource.PROBLEMS}),
    "run": frozenset({Resource.RUNS, Resource.PROBLEMS}),
    "problem": frozenset({Resource.PROBLEMS, Resource.WORKLOADS, Resource.REGISTRY}),
}
_ALWAYS = frozenset({Resource.OVERVIEW, Resource.CHANGES})
_UNLOGGED = frozenset({Resource.OVERVIEW, Resource.QUERIES})
"""What is touched by what running servers note of themselves: that is in no change log."""


class Feed:
    """The last answers of the service. ``start`` begins the loading of a resource; overlapping loads are not begun."""

    def __init__(self, start: Callable[[Resource], None]) -> None:
        self.values: dict[Resource, Any] = {}
        self.errors: dict[Resource, BaseException] = {}
        self._start = start
        self._stale: set[Resource] = set(Resource)
        self._loading: set[Resource] = set()
        self._again: set[Resource] = set()

    @property
    def overview(self) -> Overview | None:
        """The counts, when they are there."""
        return self.values.get(Resource.OVERVIEW)

    @property
    def registry(self) -> list[RegistryServerView] | None:
        """All registry servers, when they are there."""
        return self.values.get(Resource.REGISTRY)

    @property
    def workloads(self) -> list[WorkloadView] | None:
        """All workloads, when they are there."""
        return self.values.get(Resource.WORKLOADS)

    @property
    def runs(self) -> list[RunView] | None:
        """The run log, when it is there."""
        return self.values.get(Resource.RUNS)

    @property
    def problems(self) -> list[ProblemView] | None:
        """Open problems, when they are there."""
        return self.values.get(Resource.PROBLEMS)

    @property
    def changes(self) -> list[ChangeView] | None:
        """The change log, when it is there."""
        return self.values.get(Resource.CHANGES)

    @property
    def queries(self) -> list[QueryView] | None:
        """What agents asked last, when it is there."""
        return self.values.get(Resource.QUERIES)

    @property
    def groups(self) -> list[str]:
        """The workloads' groups."""
        return self.values.get(Resource.GROUPS, [])

    def need(self, resources: Iterable[Resource]) -> None:
        """Load those of the resources that are stale and not being loaded."""
        for resource in resources:
            if resource in self._loading:
                if resource in self._stale:
                    self._again.add(resource)
            elif resource in self._stale:
                self._stale.discard(resource)
                self._loading.add(resource)
                self._start(resource)

    def invalidate(self, changes: Iterable[ChangeView] | None = None) -> None:
        """Mark stale what the changes touch, or everything."""
        if changes is None:
            self._stale |= set(Resource)
            return
        for change in changes:
            touched = _TOUCHED.get(change.entity, frozenset(Resource)) | _ALWAYS
            self._stale |= _UNLOGGED if change.entity == "serving" else touched

    def spoil_silent(self, now: datetime) -> bool:
        """Mark stale what shows a server that has not said for long that it runs; whether there is one.

        A server that was killed tells nobody: nothing changes then, and only the time that passes shows it.
        """
        if self.overview is None or all(is_alive(server, now) for server in self.overview.servers):
            return False
        self._stale.add(Resource.OVERVIEW)
        return True

    def loaded(self, resource: Resource, value: Any) -> None:
        """Keep an answer."""
        self.values[resource] = value
        self.errors.pop(resource, None)
        self._ended(resource)

    def failed(self, resource: Resource, error: BaseException) -> None:
        """Keep the error beside the last answer, which is stale from now on."""
        self.errors[resource] = error
        self._stale.add(resource)
        self._ended(resource)

    def _ended(self, resource: Resource) -> None:
        self._loading.discard(resource)
        if resource in self._again:
            self._again.discard(resource)
            self.need((resource,))


async def read(service: "DataService", resource: Resource) -> Any:
    """One resource from the service."""
    readers: dict[Resource, Callable[[], Awaitable[Any]]] = {
        Resource.OVERVIEW: service.overview,
        Resource.REGISTRY: service.registry_servers,
        Resource.WORKLOADS: service.workloads,
        Resource.RUNS: service.runs,
        Resource.PROBLEMS: service.problems,
        Resource.CHANGES: service.changes,
        Resource.QUERIES: service.recent_queries,
        Resource.GROUPS: service.groups,
    }
    return await readers[resource]()
