"""What the simulated ToolHive knows: its catalog and its workloads. Plain data, apart from any HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

type Json = dict[str, Any]

SECRET_CANARY: Final = "canary-5b1e-not-a-real-secret"  # noqa: S105 - it says so itself
"""Stands where ToolHive gives away secrets: in details and run configurations. It must never be stored or logged."""

VERSION: Final = "v0.31.0"
_OURS: Final = frozenset({"tool_definitions", "remote_url", "registry_server_name"})
_LISTED_WITHOUT_ALL: Final = frozenset({"running", "auth_retrying"})


@dataclass
class SimulatedWorkload:
    """One workload. ``item`` has the fields of a snapshot file; ``tools`` None: no MCP server answers for it."""

    item: Json
    tools: list[Json] | None

    @property
    def name(self) -> str:
        """Its name, unique in a ToolHive."""
        return self.item["name"]

    @property
    def running(self) -> bool:
        """Whether its MCP server answers."""
        return self.item.get("status", "running") == "running" and self.tools is not None

    @property
    def uses_sse(self) -> bool:
        """Whether its proxy speaks SSE instead of streamable HTTP."""
        return self.item.get("proxy_mode") == "sse"


@dataclass
class SimulatorState:
    """Catalog and workloads, in the order in which they were put."""

    catalog: Json
    workloads: dict[str, SimulatedWorkload] = field(default_factory=dict)
    version: str = VERSION
    tools_page_size: int | None = None
    """How many tools an MCP server gives per page; None: all of them."""

    def put(self, item: Mapping[str, Any]) -> None:
        """Add or replace a workload. Its tools are its ``tool_definitions``, else what the catalog says it has."""
        definitions = item.get("tool_definitions")
        tools = list(definitions) if isinstance(definitions, list) else self._catalog_tools(item)
        self.workloads[item["name"]] = SimulatedWorkload(dict(item), tools)

    def listing(self, *, base_url: str, everything: bool, group: str | None) -> list[Json]:
        """The workloads as ToolHive lists them."""
        listed = [
            workload
            for workload in self.workloads.values()
            if (everything or workload.item.get("status", "running") in _LISTED_WITHOUT_ALL)
            and (group is None or workload.item.get("group", "default") == group)
        ]
        return [self._listed(workload, base_url) for workload in listed]

    def details(self, name: str) -> Json:
        """The details of a workload; of a remote one only they name its own URL."""
        item = self.workloads[name].item
        return {
            "name": name,
            "image": "" if _is_remote(item) else item.get("package", ""),
            "url": item.get("remote_url", ""),
            "transport": item.get("transport_type", "stdio"),
            "proxy_mode": item.get("proxy_mode", "streamable-http"),
            "proxy_port": item.get("port", 0),
            "group": item.get("group", "default"),
            "env_vars": {"API_KEY": SECRET_CANARY},
            "secrets": [{"name": SECRET_CANARY, "target": "API_TOKEN"}],
            "headers": [{"name": "Authorization", "default": f"Bearer {SECRET_CANARY}"}],
            "tools": item.get("tools"),
        }

    def export(self, name: str) -> Json:
        """The run configuration of a workload, with the registry server it was started from where that is recorded."""
        item = self.workloads[name].item
        return {
            "schema_version": "v0.1.0",
            "name": name,
            "image": "" if _is_remote(item) else item.get("package", ""),
            "remote_url": item.get("remote_url", ""),
            "registry_server_name": item.get("registry_server_name", ""),
            "container_labels": {"toolhive": "true", **item.get("labels", {})},
            "transport": item.get("transport_type", "stdio"),
            "env_vars": {"API_KEY": SECRET_CANARY},
            "secrets": [f"{SECRET_CANARY},target=API_TOKEN"],
            "group": item.get("group", "default"),
        }

    def groups(self) -> list[str]:
        """The groups that workloads are in, and the one that is always there."""
        return sorted({"default", *(w.item.get("group", "default") for w in self.workloads.values())})

    def start_from_registry(self, name: str, server: str, group: str) -> bool:
        """Start a workload from a catalog entry and record where it is from. False: there is no such entry."""
        for entry_name, entry in catalog_entries(self.catalog):
            if entry_name == server:
                remote = "url" in entry
                item = {
                    "name": name,
                    "package": "remote" if remote else entry.get("image", ""),
                    "transport_type": entry.get("transport", "stdio"),
                    "proxy_mode": "sse" if entry.get("transport") == "sse" else "streamable-http",
                    "status": "running",
                    "group": group,
                    "registry_server_name": server,
                }
                self.put({**item, "remote": True, "remote_url": entry["url"]} if remote else item)
                return True
        return False

    def _listed(self, workload: SimulatedWorkload, base_url: str) -> Json:
        item = {key: value for key, value in workload.item.items() if key not in _OURS}
        item.setdefault("status", "running")
        item.setdefault("group", "default")
        if workload.running:
            item["url"] = endpoint_url(base_url, workload)
            item["port"] = int(base_url.rpartition(":")[2])
        return item

    def _catalog_tools(self, item: Mapping[str, Any]) -> list[Json] | None:
        """What the catalog entry of the same image or URL offers; None when there is no such entry."""
        target = item.get("remote_url") if _is_remote(item) else item.get("package")
        for _, entry in catalog_entries(self.catalog):
            if target and target in (entry.get("image"), entry.get("url")):
                named = [{"name": tool, "inputSchema": {"type": "object"}} for tool in entry.get("tools", [])]
                return entry.get("tool_definitions") or named
        return None


def endpoint_url(base_url: str, workload: SimulatedWorkload) -> str:
    """Where the MCP server of a workload answers."""
    return f"{base_url}/workloads/{quote(workload.name, safe='')}/{'sse' if workload.uses_sse else 'mcp'}"


def catalog_entries(catalog: Mapping[str, Any]) -> Sequence[tuple[str, Json]]:
    """Name and entry of everything in a legacy registry document, groups too; nothing of another document."""
    holders = [catalog, *(catalog.get("groups") or [])]
    maps = [holder.get(section) for holder in holders for section in ("servers", "remote_servers")]
    return [pair for servers in maps if isinstance(servers, dict) for pair in servers.items()]


def server_json_list(catalog: Mapping[str, Any]) -> list[Json]:
    """A catalog as the server.json objects that ToolHive's paged API gives; an upstream document as it is."""
    data = catalog.get("data")
    if isinstance(data, dict):
        return list(data.get("servers") or [])
    return [_server_json(name, entry) for name, entry in catalog_entries(catalog)]


def _server_json(name: str, entry: Json) -> Json:
    identifier = entry.get("url") or entry.get("image", "")
    transport = entry.get("transport", "stdio")
    extras = {key: entry[key] for key in ("tools", "tool_definitions", "tags", "tier", "status") if key in entry}
    server: Json = {
        "name": name,
        "description": entry.get("description", ""),
        "version": "1.0.0",
        "_meta": {"io.modelcontextprotocol.registry/publisher-provided": {"io.github.stacklok": {identifier: extras}}},
    }
    if "title" in entry:
        server["title"] = entry["title"]
    if "repository_url" in entry:
        server["repository"] = {"url": entry["repository_url"], "source": "git"}
    if "url" in entry:
        server["remotes"] = [{"type": transport, "url": identifier}]
    else:
        server["packages"] = [{"registryType": "oci", "identifier": identifier, "transport": {"type": transport}}]
    return server


def _is_remote(item: Mapping[str, Any]) -> bool:
    return item.get("remote") is True or item.get("package") == "remote"
