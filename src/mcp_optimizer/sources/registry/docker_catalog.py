"""Entries of Docker's MCP catalog: a map ``registry`` of servers, its list form, and a single server file. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_optimizer.domain.models import CatalogEntry, ItemProblem, Kind
from mcp_optimizer.sources.json_values import first_text, list_of, object_of, text_of, texts_of, wrong_types
from mcp_optimizer.sources.registry.place_names import identity_or_problem
from mcp_optimizer.sources.registry.server_json import transport_name
from mcp_optimizer.sources.tool_definitions import tool_definitions


def is_docker_entry(entry: Mapping[str, Any]) -> bool:
    """Whether only Docker's catalogs have an entry like this."""
    docker_type = text_of(entry.get("type")) in {"server", "poci", "remote"} and "transport" not in entry
    return docker_type or "about" in entry or "sseEndpoint" in entry or isinstance(entry.get("remote"), Mapping)


def listed_entry(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name and entry of an item of the list form: ``{"type": "image", "image": …, "snapshot": {"server": …}}``."""
    snapshot = object_of(object_of(item.get("snapshot")).get("server"))
    entry = {**snapshot, "image": item.get("image") or snapshot.get("image")}
    endpoint = text_of(item.get("endpoint"))
    if endpoint and not object_of(snapshot.get("remote")).get("url"):
        entry["remote"] = {**object_of(snapshot.get("remote")), "url": endpoint}
    return text_of(snapshot.get("name")) or first_text(item, "name", "image", "source", "endpoint"), entry


def docker_entry(name: str, entry: Mapping[str, Any], *, group: str = "") -> Iterator[CatalogEntry | ItemProblem]:
    """The entry, or why there is none; wrong types are problems beside it."""
    about, meta = object_of(entry.get("about")), object_of(entry.get("meta"))
    remote = object_of(entry.get("remote"))
    url = text_of(remote.get("url")) or text_of(entry.get("sseEndpoint"))
    image = text_of(entry.get("image"))
    yield from wrong_types(name, entry, texts=("image", "title", "description"), lists=("tools",))
    if not image and not url:
        per_call = text_of(entry.get("type")) == "poci"
        why = "it runs a container for each call (poci) and is no MCP server" if per_call else "no image and no URL"
        yield ItemProblem(name=name, reason=why)
        return
    kind = Kind.REMOTE if url and (not image or text_of(entry.get("type")) == "remote") else Kind.CONTAINER
    identity = identity_or_problem(name, kind, url if kind is Kind.REMOTE else image)
    if isinstance(identity, ItemProblem):
        yield identity
        return
    metadata = object_of(entry.get("metadata"))
    transport = text_of(remote.get("transport_type")) or ("sse" if entry.get("sseEndpoint") else "")
    yield CatalogEntry(
        name=name,
        identity=identity,
        transport=transport_name(transport) if kind is Kind.REMOTE else "stdio",
        description=text_of(entry.get("description")) or text_of(about.get("description")),
        title=text_of(entry.get("title")) or text_of(about.get("title")),
        tags=texts_of(metadata.get("tags")) or texts_of(meta.get("tags")),
        repository=text_of(object_of(entry.get("source")).get("project")) or first_text(entry, "source", "upstream"),
        group=group,
        tools=tool_definitions(*_tools(entry.get("tools"))),
    )


def _tools(tools: object) -> tuple[list[Any], list[Any]]:
    """Definitions as MCP has them (Docker calls the input schema ``parameters``), and tools given by name alone."""
    definitions = [
        {
            "name": tool.get("name"),
            "description": tool.get("description"),
            "inputSchema": tool.get("parameters"),
            "annotations": tool.get("annotations"),
        }
        for tool in list_of(tools)
        if isinstance(tool, Mapping)
    ]
    return definitions, [tool for tool in list_of(tools) if isinstance(tool, str)]
