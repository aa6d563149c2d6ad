"""The sample of the demonstration: an invented catalog in two versions, and workloads in every state there is.

Drift, a rename and a removal only show over time: ingest :func:`sample_catalog_before` first, :func:`sample_catalog`
then. Every call gives fresh values, so that a caller may change them.
"""

import json
from importlib.resources import files
from typing import Any

type SampleDocument = dict[str, Any]

SNAPSHOT_FORMAT = "mcp-optimizer-snapshot/1"


def sample_catalog() -> SampleDocument:
    """The present catalog, a legacy registry document: 20 entries, container and remote, one identity claimed twice."""
    return _data("catalog.json")


def sample_catalog_before() -> SampleDocument:
    """The catalog of a week earlier: ``quillbase`` has its older tag, ``lantern`` its older name, and there is one
    entry more, ``foxglove-notes``, which has left the catalog since.
    """
    catalog = sample_catalog()
    before = _data("catalog-before.json")
    servers = catalog["servers"]
    for name, image in before["retagged"].items():
        servers[name]["image"] = image
    for name, earlier_name in before["renamed"].items():
        servers[earlier_name] = servers.pop(name)
    servers.update(before["removed"])
    catalog["last_updated"] = before["last_updated"]
    return catalog


def sample_workloads() -> list[SampleDocument]:
    """The sample workloads, as items of a snapshot file: the fields of ToolHive's list and ``tool_definitions``."""
    return _data("workloads.json")


def sample_snapshot(before: bool = False) -> SampleDocument:
    """Catalog and workloads as one snapshot document. No endpoint is contacted when it is ingested.

    A running workload whose tools are not in the sample stands there without an endpoint for that reason.
    """
    workloads = sample_workloads()
    for workload in workloads:
        if "tool_definitions" not in workload:
            workload["url"] = ""
    registry = sample_catalog_before() if before else sample_catalog()
    return {"format": SNAPSHOT_FORMAT, "registry": registry, "workloads": workloads}


def _data(name: str) -> Any:
    return json.loads(files("mcp_optimizer.demo").joinpath("data", name).read_text(encoding="utf-8"))
