"""Vectors as one matrix in memory: the nearest of a hundred thousand by one product. No I/O."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcp_optimizer.db.search_index import Near
from mcp_optimizer.db.search_reads import StoredVector
from mcp_optimizer.domain.vectors import Vector

_GONE: Final = -1
_SPARSE: Final = 0.2
"""Where the filter lets through less than this share, only those rows are compared."""
_SLACK: Final = 0.25
"""Share of rows that may be gone before the matrix is rebuilt."""


@dataclass(frozen=True)
class VectorMatrix:
    """The vectors of one side as of change ``sequence``. Rows are never overwritten, so that a search that is under
    way keeps what it began with: a change marks rows as gone and appends others.
    """

    sequence: int
    model: str
    matrix: NDArray[np.float32]
    """Room for rows, shape (at least ``count``, dimension)."""
    count: int
    ids: list[str]
    """Of the first ``count`` rows; may have more, of later versions."""
    owners: NDArray[np.int32]
    """Number of each row's server in ``servers``, shape (``count``,); -1: gone."""
    servers: dict[str, int]
    """Numbers by id, ascending."""

    @property
    def bytes(self) -> int:
        """Memory that the matrix takes."""
        return self.matrix.nbytes

    def nearest(self, vectors: Sequence[Vector], *, limit: int, servers: Collection[str] | None) -> list[list[Near]]:
        """For each of ``vectors`` the ``limit`` tools nearest to it, nearest first; only those of ``servers``, unless
        None (Q1). One product for all: reading the matrix is what takes time, not multiplying.
        """
        present = self.owners >= 0 if servers is None else self._allowed(servers)[self.owners]
        number = int(np.count_nonzero(present))
        limit = min(limit, number)
        if limit == 0 or not vectors:
            return [[] for _ in vectors]
        request = np.stack(vectors)
        if number < _SPARSE * self.count:
            rows = np.flatnonzero(present)
            likeness = request @ self.matrix[rows].T
        else:
            rows = None
            likeness = request @ self.matrix[: self.count].T
            likeness[:, ~present] = -np.inf
        return [self._best(row, rows, limit) for row in likeness]

    def _best(self, likeness: NDArray[np.float32], rows: NDArray[np.intp] | None, limit: int) -> list[Near]:
        """The ``limit`` rows of greatest likeness. ``rows``: those compared; None: all."""
        best = np.argpartition(likeness, -limit)[-limit:]
        places = best if rows is None else rows[best]
        names = list(self.servers)  # in the order of their numbers
        results = [
            Near(self.ids[place], names[int(self.owners[place])], float(1 - likeness[at]))
            for at, place in zip(best, places, strict=True)
        ]
        return sorted(results, key=lambda near: (near.distance, near.id))

    def _allowed(self, servers: Collection[str]) -> NDArray[np.bool_]:
        """Whether each server, by number, is let through; the last element stands for the rows that are gone."""
        allowed = (server in servers for server in self.servers)
        return np.fromiter(itertools.chain(allowed, (False,)), dtype=bool, count=len(self.servers) + 1)

    def changed(self, sequence: int, servers: Collection[str], rows: Sequence[StoredVector]) -> "VectorMatrix":
        """These vectors as of ``sequence``: ``rows`` are all that ``servers`` now have."""
        numbers = [self.servers[server] for server in servers if server in self.servers]
        owners = np.where(np.isin(self.owners, numbers), np.int32(_GONE), self.owners) if numbers else self.owners
        cached = int(np.count_nonzero(owners >= 0))
        if len(self.ids) != self.count or self.count - cached > _SLACK * self.count + 1024:
            return self._compacted(owners).changed(sequence, (), rows) if rows else self._compacted(owners, sequence)
        return self._appended(sequence, owners, rows)

    def _compacted(self, owners: NDArray[np.int32], sequence: int | None = None) -> "VectorMatrix":
        rows = np.flatnonzero(owners >= 0)
        return VectorMatrix(
            self.sequence if sequence is None else sequence,
            self.model,
            self.matrix[rows],
            len(rows),
            [self.ids[row] for row in rows],
            owners[rows],
            self.servers,
        )

    def _appended(self, sequence: int, owners: NDArray[np.int32], rows: Sequence[StoredVector]) -> "VectorMatrix":
        if not rows:
            return VectorMatrix(sequence, self.model, self.matrix, self.count, self.ids, owners, self.servers)
        end = self.count + len(rows)
        matrix = self.matrix
        if end > len(matrix):
            matrix = np.empty((end + end // 8 + 64, matrix.shape[1]), dtype=np.float32)
            matrix[: self.count] = self.matrix[: self.count]
        servers = dict(self.servers)
        for _, server, _ in rows:
            servers.setdefault(server, len(servers))
        matrix[self.count : end] = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4").reshape(len(rows), -1)
        self.ids.extend(row[0] for row in rows)
        added = np.array([servers[row[1]] for row in rows], dtype=np.int32)
        return VectorMatrix(sequence, self.model, matrix, end, self.ids, np.concatenate([owners, added]), servers)


def no_vectors(sequence: int, model: str, dimension: int, room: int) -> VectorMatrix:
    """No vectors yet, with room for so many rows."""
    matrix = np.empty((room, dimension), dtype=np.float32)
    return VectorMatrix(sequence, model, matrix, 0, [], np.empty(0, dtype=np.int32), {})
