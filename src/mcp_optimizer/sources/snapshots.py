"""Snapshot files: a catalog and a listing of workloads with their tools, in one JSON document. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_optimizer.domain.identity import identity_of
from mcp_optimizer.domain.models import Catalog, Identity, Kind, Value, WorkloadListing
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of, label_of, list_of, object_of, text_of
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.toolhive.workload_items import named_items, observed_workload

SNAPSHOT_FORMAT: Final = "mcp-optimizer-snapshot/1"


class Snapshot(Value):
    """What a snapshot holds; a part that it leaves out is None. Workloads keep tools None where it gives none."""

    catalog: Catalog | None
    listing: WorkloadListing | None


def is_snapshot(document: object) -> bool:
    """Whether ``document`` means to be a snapshot and no catalog."""
    return isinstance(document, Mapping) and ("format" in document or "workloads" in document)


def parse_snapshot(document: object, *, source: str) -> Snapshot:
    """The snapshot in ``document``. Raises :class:`SourceError` when it is none, or one of another format."""
    if not isinstance(document, Mapping):
        raise SourceError(f"not a snapshot: expected an object, got {kind_of(document)}")
    given = document.get("format")
    if given != SNAPSHOT_FORMAT:
        got = label_of(given) if isinstance(given, str) else kind_of(given)
        raise SourceError(f'not a snapshot that can be read: "format" is {got}, expected "{SNAPSHOT_FORMAT}"')
    registry = document.get("registry")
    workloads = document.get("workloads")
    try:
        return Snapshot(
            catalog=None if registry is None else _catalog(registry, document, source=source),
            listing=None if workloads is None else parse_listing(workloads, source=source),
        )
    except RecursionError:
        raise SourceError("the snapshot is nested too deeply to be read") from None


def _catalog(registry: object, document: Mapping[str, Any], *, source: str) -> Catalog:
    """The catalog, with what this program records beside it when it exports a snapshot."""
    resolutions = tuple(
        (identity, name)
        for item in map(object_of, list_of(document.get("resolutions")))
        if (identity := _identity(item)) and (name := text_of(item.get("name")))
    )
    aliases = tuple(
        (identity, name, earlier)
        for item in map(object_of, list_of(document.get("aliases")))
        if (identity := _identity(object_of(item.get("of"))))
        and (name := text_of(item.get("name")))
        and (earlier := _identity(item))
    )
    catalog = parse_catalog(registry, source=source)
    return catalog.model_copy(update={"resolutions": resolutions, "aliases": aliases})


def _identity(item: Mapping[str, Any]) -> Identity | None:
    """The identity that ``kind`` and ``identity`` of an object give; None where they give none."""
    try:
        return identity_of(Kind(text_of(item.get("kind"))), text_of(item.get("identity")))
    except ValueError:
        return None


def parse_listing(workloads: object, *, source: str) -> WorkloadListing:
    """The workloads of a snapshot. Raises :class:`SourceError` when there is no list of them."""
    named = named_items(workloads)
    observed = tuple(observed_workload(item) for item in named.items)
    return WorkloadListing(
        source=source, workloads=observed, problems=named.problems, complete=named.complete, of_file=True
    )
