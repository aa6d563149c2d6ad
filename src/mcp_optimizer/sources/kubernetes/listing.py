"""What the API server gave for each kind and namespace, put together to one listing. Pure (C6, L9)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mcp_optimizer.domain.models import ItemProblem, ObservedWorkload, WorkloadListing
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of
from mcp_optimizer.sources.kubernetes.items import API_GROUP, ResourceKind, observed_resource, resource_key

_NOBODY: Final[Mapping[str, ResourceKind]] = {}
_ORDER: Final = list(ResourceKind)


class ResourceListing(NamedTuple):
    """The resources of one kind in one namespace (empty: in all).

    ``problem``: why they are not all of them; ``forbidden``: because a permission is missing. ``version``: of the
    API; empty when the cluster does not know the kind.
    """

    kind: ResourceKind
    namespace: str
    items: tuple[Any, ...] = ()
    problem: str = ""
    forbidden: bool = False
    version: str = ""

    @property
    def where(self) -> str:
        """The namespace in words."""
        return f"in namespace {self.namespace}" if self.namespace else "in all namespaces"


class Assembled(NamedTuple):
    """A listing, and which kind has each key in it."""

    listing: WorkloadListing
    holders: Mapping[str, ResourceKind]


def refuse_nothing_read(found: Sequence[ResourceListing]) -> None:
    """Raise :class:`SourceError` when nothing could be read: an empty listing would say that nothing runs (L9)."""
    if any(part.items or (part.version and not part.problem) for part in found):
        return
    problem = next((part for part in found if part.problem), None)
    if problem is not None:
        raise SourceError(f"{problem.kind} {problem.where}: {problem.problem}")
    raise SourceError(
        f"the API server knows none of the kinds of {API_GROUP}",
        remedy="install ToolHive's custom resource definitions, or check MCP_OPTIMIZER_K8S_API_SERVER_URL",
    )


def assemble(
    found: Sequence[ResourceListing], *, source: str, holders: Mapping[str, ResourceKind] = _NOBODY
) -> Assembled:
    """The listing of all that was found, each workload under ``NAMESPACE/NAME``.

    Where kinds share a key, the first kind has it, and the others' name says their kind. ``holders``: who had which
    key before; a kind that could not be read now keeps its keys, lest another take over the stored workload.
    """
    held = {key: kind for key, kind in holders.items() if _unread(key, kind, found)}
    workloads: dict[str, ObservedWorkload] = {}
    problems: list[ItemProblem] = []
    complete = True
    for part in sorted(found, key=lambda part: (_ORDER.index(part.kind), part.namespace)):
        if part.problem:
            problems.append(ItemProblem(name=f"{part.kind} {part.where}", reason=part.problem))
            complete = False
        for place, item in enumerate(part.items):
            key = resource_key(item, namespace=part.namespace)
            if not key:
                problems.append(ItemProblem(name=f"{part.kind}[{place}] {part.where}", reason=_nameless(item)))
                complete = False
                continue
            name = _name(key, part.kind, held)
            if name in workloads:
                problems.append(ItemProblem(name=name, reason="it is listed more than once; the first counts"))
            else:
                workloads[name] = observed_resource(item, part.kind, key=key, name=name)
    listing = WorkloadListing(
        source=source, workloads=tuple(workloads.values()), problems=tuple(problems), complete=complete
    )
    return Assembled(listing, held)


def _name(key: str, kind: ResourceKind, held: dict[str, ResourceKind]) -> str:
    """The name for a resource, which takes its key unless an earlier kind has it. A key has no space or bracket."""
    holder = held.get(key, kind)
    if _ORDER.index(holder) < _ORDER.index(kind):
        return f"{key} ({kind})"
    held[key] = kind
    return key


def _unread(key: str, kind: ResourceKind, found: Iterable[ResourceListing]) -> bool:
    namespace = key.partition("/")[0]
    return any(part.problem and part.kind is kind and part.namespace in ("", namespace) for part in found)


def _nameless(item: object) -> str:
    return "it has no name or namespace" if isinstance(item, Mapping) else f"expected a resource, got {kind_of(item)}"
