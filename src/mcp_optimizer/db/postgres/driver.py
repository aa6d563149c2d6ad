"""How connections to PostgreSQL are made, and what text and vectors become on the way (S5)."""

import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import IsolationLevel
from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.types.string import StrDumper
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from mcp_optimizer.domain.vectors import Vector
from mcp_optimizer.text import to_storable

PROGRAM: Final = "mcp-optimizer"
_CONNECT_TIMEOUT: Final = 10
_POOL_WAIT: Final = 60.0
_READERS: Final = 4

type ConnectArguments = dict[str, Any]


class _StorableText(StrDumper):
    """Text that PostgreSQL takes, whatever it is: it has no NUL, and no lone surrogate."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(to_storable(obj))


class _VectorDumper(Dumper):
    """A vector as pgvector reads it from the wire: dimension, nothing, big-endian 32-bit floats."""

    format = Format.BINARY

    def dump(self, obj: Vector) -> Buffer | None:
        return struct.pack(">hh", len(obj), 0) + obj.astype(">f4").tobytes()


def from_wire(sent: bytes) -> bytes:
    """What ``vector_send`` gives, as the core tables hold vectors: little-endian 32-bit floats."""
    return np.frombuffer(sent, dtype=">f4", offset=4).astype("<f4").tobytes()


def arguments(url: URL) -> ConnectArguments:
    """What a URL says, as the driver takes it. What it leaves out comes from PostgreSQL's own environment and files."""
    given: ConnectArguments = url.translate_connect_args(username="user", database="dbname")
    given |= {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    own = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "application_name": f"{PROGRAM} {os.getpid()} at {socket.gethostname()}"[:63],
    }
    return own | given | {"client_encoding": "utf8"}


async def connect(
    arguments: ConnectArguments, *, read_only: bool = False, autocommit: bool = False
) -> psycopg.AsyncConnection[Any]:
    """A connection. One that only reads sees one state throughout a transaction.

    Statements are not prepared, so that a pooler may stand between, and no plan outlives the table it was made for.
    """
    connection = await psycopg.AsyncConnection.connect(**arguments, autocommit=autocommit, prepare_threshold=None)
    _adapt(connection)
    if read_only and autocommit:
        await connection.execute("SET default_transaction_read_only = on")
    elif read_only:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
    else:
        await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
    return connection


def _adapt(context: AdaptContext) -> None:
    context.adapters.register_dumper(str, _StorableText)
    context.adapters.register_dumper(np.ndarray, _VectorDumper)


def make_engine(
    arguments: Callable[[], ConnectArguments], *, read_only: bool, pooled: bool = True, autocommit: bool = False
) -> AsyncEngine:
    """An engine: one connection that writes, or a few that only read; each proves to be alive before it is used."""

    async def opened() -> psycopg.AsyncConnection[Any]:
        return await connect(arguments(), read_only=read_only, autocommit=autocommit)

    pool: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        pool = {
            "poolclass": AsyncAdaptedQueuePool,
            "pool_size": _READERS if read_only else 1,
            "max_overflow": 0,
            "pool_timeout": _POOL_WAIT,
            "pool_pre_ping": True,
        }
    if autocommit:
        pool["isolation_level"] = "AUTOCOMMIT"
    return create_async_engine("postgresql+psycopg://", async_creator=opened, use_native_hstore=False, **pool)
