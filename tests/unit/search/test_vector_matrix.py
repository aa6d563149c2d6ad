"""Vectors at hand: what they find is what brute force finds, through any changes (Q1)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.search.vector_matrix import VectorMatrix, no_vectors

DIMENSION = 8
SIGNS = np.array([1, -1] * 4, dtype=np.float32)


def rows(server: str, version: int, count: int) -> list[tuple[str, str, bytes]]:
    rng = np.random.default_rng([version, count, sum(map(ord, server))])
    made = rng.standard_normal((count, DIMENSION)).astype("<f4")
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return [(f"{server}-{version}-{n}", server, made[n].tobytes()) for n in range(count)]


def brute_force(
    world: dict[str, list[tuple[str, str, bytes]]], asked: np.ndarray, servers: set[str] | None
) -> set[str]:
    found = [row for owned in world.values() for row in owned if servers is None or row[1] in servers]
    return {row[0] for row in sorted(found, key=lambda row: -float(np.frombuffer(row[2], "<f4") @ asked))[:5]}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30)), max_size=25), st.sets(st.sampled_from("abcdef"))
)
def test_q1_changes_leave_exactly_what_is_there(changes: list[tuple[str, int]], servers: set[str]) -> None:
    held = no_vectors(0, "m", DIMENSION, 4)
    world: dict[str, list[tuple[str, str, bytes]]] = {}
    asked = np.ones(DIMENSION, dtype=np.float32) / np.float32(np.sqrt(DIMENSION))
    for version, (server, count) in enumerate(changes, start=1):
        before: VectorMatrix = held
        found_before = [near.id for near in before.nearest([asked], limit=5, servers=None)[0]]
        world[server] = rows(server, version, count)
        held = held.changed(version, {server}, world[server])
        assert held.sequence == version
        assert [near.id for near in before.nearest([asked], limit=5, servers=None)[0]] == found_before, (
            "a search under way"
        )
    for only in (None, servers):
        several = [asked, -asked, asked[::-1] * SIGNS]
        for vector, found in zip(several, held.nearest(several, limit=5, servers=only), strict=True):
            assert {near.id for near in found} == brute_force(world, vector, only)
            assert [near.distance for near in found] == sorted(near.distance for near in found)
    assert held.nearest([], limit=5, servers=None) == []
