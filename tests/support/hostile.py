"""Documents as a hostile or broken source may give them: sound ones, with something replaced, cut or repeated."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

MEGABYTE = "A" * 1_000_000
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**400, 1e308, 0.1, "", " ", [], {}, [[]], [None], {"": ""}, "\x00", "a\x00b",
    "\ud800", "\udfff\ud800", "\u202egnp.exe", "\u200b", "\x1b]8;;http://evil.example\x07", "[/red]", "[bold", "名前",
    "'; DROP TABLE tools_workload; --", "../../etc/passwd", "x" * 3000, "https://user:secret@host.example/?token=abc",
    "http://[::1", "http://[fe80::1%25eth0]/", "https://h:99999/", "file:///etc/passwd", "localhost:5000/img",
    "IMG:UPPER", "a/b@sha256:zz", "img:tag@sha256:" + "f" * 64, "https://x.example/%zz",
    "https://x.example/" + "a/" * 900,
    ["a", 1, None, {"b": []}], {"name": {"name": "name"}}, "NaN", float("nan"), float("inf"), "remote", "running",
)  # fmt: skip


def sound_catalog() -> dict[str, Any]:
    """A catalog in the legacy format."""
    return {
        "version": "1.0.0",
        "last_updated": "2026-01-01T00:00:00Z",
        "servers": {
            name: {
                "image": f"example.org/{name}:1", "transport": "stdio", "description": f"The server {name}.",
                "tags": ["one", "two"], "tier": "Official", "tools": ["ping", "read"],
                "tool_definitions": [{"name": "ping", "description": "Pings.", "inputSchema": {"type": "object"}}],
            }
            for name in ("alpha", "beta", "gamma")
        },
        "remote_servers": {"delta": {"url": "https://delta.example/mcp", "transport": "sse", "tools": ["pong"]}},
        "groups": [{"name": "team", "servers": {"omega": {"image": "example.org/omega", "tools": []}}}],
    }  # fmt: skip


def upstream_catalog() -> dict[str, Any]:
    """A catalog in the upstream format."""
    return {
        "data": {
            "servers": [
                {
                    "name": f"io.example/{name}", "description": name, "version": "1.0.0",
                    "packages": [{"registryType": "oci", "identifier": f"example.org/{name}:1", "version": "1",
                                  "transport": {"type": "stdio"}}],
                    "remotes": [{"type": "sse", "url": f"https://{name}.example/mcp"}],
                }
                for name in ("alpha", "beta")
            ]
        }
    }  # fmt: skip


def sound_snapshot() -> dict[str, Any]:
    """A snapshot with a catalog and workloads."""
    workloads: list[dict[str, Any]] = [
        {
            "name": f"w-{name}", "package": f"example.org/{name}:1", "url": "http://127.0.0.1:9/mcp",
            "status": "running",
            "transport_type": "stdio", "group": "default", "labels": {"io.modelcontextprotocol.server.name": name},
            "tool_definitions": [{"name": "ping", "description": "Pings.", "inputSchema": {"type": "object"}}],
        }
        for name in ("alpha", "beta", "own")
    ]  # fmt: skip
    remote = {"name": "w-delta", "remote": True, "remote_url": "https://delta.example/mcp", "tool_definitions": []}
    return {
        "format": "mcp-optimizer-snapshot/1",
        "registry": sound_catalog(),
        "workloads": [*workloads, remote],
    }


def documents(count: int, *, seed: int) -> Iterator[bytes]:
    """So many documents, each damaged in another way; the same for the same seed."""
    rng = random.Random(seed)
    makers = (sound_catalog, upstream_catalog, sound_snapshot, sound_snapshot)
    for _ in range(count):
        document: Any = rng.choice(makers)()
        for _ in range(rng.choice((1, 1, 2, 5))):
            document = _damaged(document, rng)
        yield _damaged_text(json.dumps(document), rng)


def _damaged(document: Any, rng: random.Random) -> Any:
    """With one value, or one key, replaced."""
    places = list(_places(document))
    if not places:
        return _hostile(rng)
    holder, key = rng.choice(places)
    damage = rng.randrange(12)
    if damage == 0:
        holder[key] = _deep(rng.choice((70, 500, 3000)), rng)
    elif damage == 1:
        holder[key] = MEGABYTE if rng.random() < 0.2 else _hostile(rng)
    elif damage == 2 and isinstance(holder, dict):
        holder[str(rng.choice(HOSTILE))[:200]] = holder.pop(key)
    elif damage == 3 and isinstance(holder, dict):
        del holder[key]
    elif damage == 4 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif damage == 5:
        holder[key] = [holder[key]]
    elif damage == 6:
        other, there = rng.choice(places)
        holder[key] = copy.deepcopy(other[there]) if len(json.dumps(other[there])) < 5000 else 7
    else:
        holder[key] = _hostile(rng)
    return document


def _hostile(rng: random.Random) -> Any:
    """One of the hostile values, a copy of its own: later damage must not change what other documents get."""
    return copy.deepcopy(rng.choice(HOSTILE))


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every member of every object and list, with what holds it."""
    if depth > 12:
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield value, key
        yield from _places(member, depth + 1)


def _deep(levels: int, rng: random.Random) -> str:
    """A text that becomes so many levels of nesting in :func:`_damaged_text`."""
    return f"@deep-{levels}-{rng.choice('{[')}@"


def _damaged_text(text: str, rng: random.Random) -> bytes:
    """With what no value can express: nesting, repeated keys, a cut, bytes that are no UTF-8, a mark at the start."""
    for levels in (70, 500, 3000):
        text = text.replace(f'"@deep-{levels}-[@"', "[" * levels + "]" * levels)
        text = text.replace(f'"@deep-{levels}-{{@"', '{"a":' * levels + "1" + "}" * levels)
    damage = rng.randrange(20)
    if damage == 0:
        text = text[: rng.randrange(len(text))]
    elif damage == 1:
        text = text.replace('"beta"', '"alpha"').replace('"group"', '"name"')
    elif damage == 2:
        text = text.replace('"image"', '"tools": 1, "image"', 2)
    data = text.encode("utf-8", "surrogatepass")
    if damage == 3:
        place = rng.randrange(len(data))
        data = data[:place] + bytes([rng.randrange(128, 256)]) + data[place:]
    return b"\xef\xbb\xbf" + data if damage == 4 else data
