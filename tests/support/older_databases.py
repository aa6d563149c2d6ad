"""Databases as the program's predecessor made them, in both of its shapes, with some of everything in them."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from mcp_optimizer.legacy.old_descriptions import compose
from mcp_optimizer.legacy.tables import ASIDE
from tests.support.database import raw_connection

REVISION = "d2977d4c8c53"
OPTIONAL = {"token_count", "virtual_mcp", "group", "last_updated", "created_at", "description", "server_embedding"}
"""Columns that some versions of the older program did not have."""

_TIMES = "last_updated TIMESTAMP DEFAULT CURRENT_TIMESTAMP", "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP"
_SERVER = ("transport TEXT", "description TEXT", "server_embedding BLOB", "\"group\" TEXT DEFAULT 'default'", *_TIMES)
_TOOL = ("id TEXT PRIMARY KEY", "mcpserver_id TEXT", "details TEXT", "details_embedding BLOB", "token_count INTEGER")
_SHAPES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "split": {
        "mcpservers_registry": ("id TEXT PRIMARY KEY", "name TEXT", "url TEXT", "package TEXT", "remote INT", *_SERVER),
        "mcpservers_workload": (
            "id TEXT PRIMARY KEY",
            "name TEXT",
            "url TEXT",
            "workload_identifier TEXT",
            "remote INT",
            "status TEXT",
            "registry_server_id TEXT REFERENCES mcpservers_registry(id) ON DELETE SET NULL",
            "registry_server_name TEXT",
            "virtual_mcp INT DEFAULT 0",
            *_SERVER,
        ),
        "tools_registry": (*_TOOL, *_TIMES),
        "tools_workload": (*_TOOL, *_TIMES),
    },
    "unified": {
        "mcpserver": (
            "id TEXT PRIMARY KEY",
            "name TEXT",
            "url TEXT",
            "package TEXT",
            "remote INT",
            "from_registry INT",
            "status TEXT",
            *_SERVER,
        ),
        "tool": (*_TOOL, *_TIMES),
    },
}
_SEARCH = {
    "split": (
        ("registry_server_vector", "registry_tool_vectors", "registry_tool_fts"),
        ("workload_server_vector", "workload_tool_vectors", "workload_tool_fts"),
    ),
    "unified": (("server_vector", "tool_vectors", "tool_fts"),),
}

type Row = dict[str, Any]


def uuid(number: int) -> str:
    """The id of a row."""
    return str(UUID(int=number, version=4))


def details(name: str, about: str = "") -> str:
    """A tool, as the older program wrote it: every member, the empty ones too."""
    found = dict.fromkeys(("title", "outputSchema", "icons", "annotations", "meta", "execution"))
    schema = {"type": "object", "properties": {"query": {"type": "string"}}} if about else {}
    return json.dumps({"name": name, "description": about or None, "inputSchema": schema, **found})


def make(path: Path, shape: str, rows: Mapping[str, Iterable[Row]], *, without: Collection[str] = ()) -> Path:
    """A database of the older program with these rows, ``without`` some columns; its search tables are filled too."""
    path.parent.mkdir(exist_ok=True)
    with raw_connection(path) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
        for table, given in _SHAPES[shape].items():
            columns = [column for column in given if column.split()[0].strip('"') not in without]
            connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            connection.execute(f"CREATE INDEX idx_{table} ON {table} (id)")
            for row in rows.get(table, ()):
                kept = {name: value for name, value in row.items() if name not in without}
                names = ", ".join(f'"{name}"' for name in kept)
                marks = ", ".join("?" for _ in kept)
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(kept.values()))
        _search(connection, shape, rows)
        connection.execute("COMMIT")
    return path


def _search(connection: Any, shape: str, rows: Mapping[str, Iterable[Row]]) -> None:
    vector = np.ones(8, dtype=np.float32).tobytes()
    for servers, vectors, words in _SEARCH[shape]:
        for table, key in ((servers, "server_id"), (vectors, "tool_id")):
            connection.execute(f"CREATE VIRTUAL TABLE {table} USING vec0({key} TEXT PRIMARY KEY, embedding FLOAT[8])")
            connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (uuid(1), vector))
        connection.execute(f"CREATE VIRTUAL TABLE {words} USING fts5(tool_id UNINDEXED, tool_name, tokenize='porter')")
        connection.execute(f"INSERT INTO {words} VALUES (?, 'ping')", (uuid(1),))


def split_rows() -> dict[str, list[Row]]:
    """Registry servers of both kinds, linked, autonomous and lost workloads, and rows that have no place."""
    alpha = compose("alpha", "Does alpha | things.", ("first", "greek"))
    return {
        "mcpservers_registry": [
            server(1, "alpha", package="example.org/alpha:1", description=alpha, created_at="2025-03-04 05:06:07"),
            server(2, "beta", url="https://beta.example/mcp", remote=1, description=compose("beta", "", ("second",))),
            server(3, "alpha-twin", package="example.org/alpha:1", description=compose("alpha-twin", "Twin.", ())),
            server(4, "no place", package=None),
            server(5, "", package="example.org/nameless:1"),
            server(6, "bad url", url="https://user:secret@[broken", remote=1),
        ],
        "mcpservers_workload": [
            running(11, "a-runs", "example.org/alpha:1", registry_server_id=uuid(1), registry_server_name="alpha",
                    description=alpha, group="team"),
            running(12, "b-runs", "https://beta.example/mcp", remote=1, registry_server_id=uuid(2),
                    registry_server_name="beta", status="stopped", virtual_mcp=1),
            running(13, "own", "example.org/own:1", description=compose("own", "My own.", ())),
            running(14, "lost", "example.org/lost:1", registry_server_id=uuid(99), registry_server_name="gone"),
            running(15, "drifted", "example.org/alpha:2", registry_server_id=uuid(1), registry_server_name="alpha"),
            running(16, "own", "example.org/other:1"),
            running(17, "nowhere", None),
        ],
        "tools_registry": [
            tool(101, 1, details("ping")),
            tool(102, 2, details("pong", "Says pong.")),
            tool(103, 4, details("orphan")),
            tool(104, 3, details("ping")),
        ],
        "tools_workload": [
            tool(201, 11, details("ping", "Pings the alpha.")),
            tool(202, 11, details("more", "More than the catalog says.")),
            tool(203, 12, details("pong", "Says pong.")),
            tool(204, 13, details("solo", "Does it alone.")),
            tool(205, 13, "{not json"),
            tool(206, 13, '["a list"]'),
            tool(207, 13, details("solo", "The same name again.")),
            tool(208, 77, details("stray")),
            tool(209, 13, None),
        ],
    }  # fmt: skip


def unified_rows() -> dict[str, list[Row]]:
    """One table for all: rows of the catalog, rows that run, one that is both, and some that have no place."""
    return {
        "mcpserver": [
            one(1, "alpha", package="example.org/alpha:1", from_registry=1, status="registry",
                description=compose("alpha", "Does alpha things.", ("first",))),
            one(2, "beta", url="https://beta.example/mcp", package="beta", remote=1, from_registry=1,
                status="registry"),
            one(3, "gamma", package="https://gamma.example/mcp", remote=1, from_registry=1, status="running",
                url="http://127.0.0.1:20003/mcp", description=compose("gamma", "Both.", ("third",))),
            one(4, "a-runs", package="example.org/alpha:1", from_registry=0, status="running",
                url="http://127.0.0.1:20004/mcp"),
            one(5, "own", package="example.org/own:1", from_registry=0, status="stopped",
                description="Autonomous embedding from tool mean pooling"),
            one(6, "nowhere", from_registry=0, status="running"),
        ],
        "tool": [
            tool(101, 1, details("ping")),
            tool(102, 2, details("pong", "Says pong.")),
            tool(103, 3, details("gamma_ray", "Shines.")),
            tool(104, 4, details("ping", "Pings the alpha.")),
            tool(105, 5, details("solo", "Does it alone.")),
            tool(106, 6, details("orphan")),
            tool(107, 1, "{not json"),
        ],
    }  # fmt: skip


def rows_of(shape: str) -> dict[str, list[Row]]:
    """Rows of a shape."""
    return split_rows() if shape == "split" else unified_rows()


def server(number: int, name: str, **columns: Any) -> Row:
    """A registry server of the split shape."""
    return {"id": uuid(number), "name": name, "remote": 0, "transport": "sse", **columns}


def running(number: int, name: str, where: str | None, **columns: Any) -> Row:
    """A workload of the split shape."""
    about = {"url": f"http://127.0.0.1:{20000 + number}/mcp", "remote": 0, "transport": "sse", "status": "running"}
    return {"id": uuid(number), "name": name, "workload_identifier": where, **about, **columns}


def one(number: int, name: str, **columns: Any) -> Row:
    """A server of the unified shape."""
    return {"id": uuid(number), "name": name, "remote": 0, "transport": "sse", **columns}


def tool(number: int, server_number: int, stored: str | None) -> Row:
    """A tool of either shape."""
    about = {"details": stored, "details_embedding": b"\0" * 1536, "token_count": 7}
    return {"id": uuid(number), "mcpserver_id": uuid(server_number), **about}


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every ordinary table, those behind the search tables too, and the statements that made them all."""
    with raw_connection(path) as connection:
        connection.text_factory = bytes
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        names = [name.decode() for name, sql in made if b"VIRTUAL" not in (sql or b"")]
        found = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
        return found | {"statements": made}


def leftovers(path: Path) -> list[str]:
    """Tables of the older program that are still there."""
    names = {name for columns in _SHAPES.values() for name in columns} | {"server_vector", "tool_vectors", "tool_fts"}
    kept = {"mcpservers_registry", "mcpservers_workload", "tools_registry", "tools_workload"}
    with raw_connection(path) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    return [name for name in found if name.startswith(ASIDE) or name in names - kept]
