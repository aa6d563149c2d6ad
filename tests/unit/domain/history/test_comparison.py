"""What differs between two states, and what a change log says of an earlier one. Pure."""

from typing import Any

import pytest

from mcp_optimizer.domain.history.comparison import ComparedState, compare_states
from mcp_optimizer.domain.history.past_state import HistoryLine, state_at
from mcp_optimizer.domain.models import RegistryServer, Workload
from tests.support.builders import identity


def server(name: str, where: str, key: str = "", **fields: Any) -> RegistryServer:
    return RegistryServer(id=key or f"id-{name}", name=name, identity=identity(where), **fields)


def workload(name: str, where: str, entry: RegistryServer | None = None) -> Workload:
    return Workload(
        id=f"id-{name}",
        name=name,
        identity=identity(where),
        registry_server_id=entry.id if entry else None,
        registry_server_name=entry.name if entry else None,
    )


def state(registry: list[RegistryServer] | None, *workloads: Workload, **fields: Any) -> ComparedState:
    return ComparedState(
        label="x", registry=None if registry is None else tuple(registry), workloads=tuple(workloads), **fields
    )


OLD = server("old", "example.org/old:1")
KEPT = server("kept", "https://kept.example/mcp", description="One.")
FIRST = state([OLD, KEPT], workload("w", "example.org/old:1", OLD), workload("own", "example.org/own:1"))


def test_what_is_added_removed_renamed_retagged_and_updated_is_told() -> None:
    renamed = server("new name", "example.org/old:1", key="other id")
    after = state(
        [renamed, server("kept", "https://kept.example/mcp", description="Two."), server("more", "m.org/m:1")]
    )
    found = compare_states(FIRST, after).registry
    assert found is not None
    assert [(item.before, item.after) for item in found.renamed] == [("old", "new name")]
    assert [item.name for item in found.added] == ["more"]
    assert (found.removed, found.retagged, found.updated) == ((), (), ("kept",))
    found = compare_states(FIRST, state([server("old", "example.org/old:2")])).registry
    assert found is not None
    assert [(item.name, item.before, item.after) for item in found.retagged] == [
        ("old", "example.org/old:1", "example.org/old:2")
    ]
    assert [item.name for item in found.removed] == ["kept"]


def test_links_that_begin_end_or_lead_elsewhere_and_drift_are_told() -> None:
    moved = server("old", "example.org/old:2", key="other id")
    after = state([moved, KEPT], workload("w", "example.org/old:1", moved), workload("own", "example.org/own:1", moved))
    found = compare_states(FIRST, after).workloads
    assert found is not None
    assert [(link.workload, link.after) for link in found.linked] == [("own", "old")]
    assert [drift.workload for drift in found.drifted] == ["own", "w"]
    back = compare_states(after, FIRST).workloads
    assert back is not None
    assert [(link.workload, link.before) for link in back.unlinked] == [("own", "old")]
    assert back.drift_ended == ("own", "w")
    other = state([OLD, KEPT], workload("w", "https://kept.example/mcp", KEPT))
    found = compare_states(FIRST, other).workloads
    assert found is not None
    assert [(link.before, link.after) for link in found.linked] == [("old", "kept")]
    assert [item.name for item in found.changed] == ["w"]
    assert [item.name for item in found.removed] == ["own"]


def test_a_renamed_entry_leaves_its_links_as_they_are() -> None:
    renamed = server("new name", "example.org/old:1", key="other id")
    after = state([renamed, KEPT], workload("w", "example.org/old:1", renamed), workload("own", "example.org/own:1"))
    comparison = compare_states(FIRST, after)
    assert comparison.workloads is not None
    assert not any(value for _, value in comparison.workloads)
    assert not comparison.same


def test_what_one_of_the_two_does_not_know_is_not_compared() -> None:
    assert compare_states(state(None), FIRST).registry is None
    unknown = state([OLD], workload("w", "example.org/old:1"), links=False)
    found = compare_states(unknown, FIRST).workloads
    assert found is not None
    assert (found.linked, found.unlinked) == ((), ())


def test_equal_states_are_the_same_whatever_their_ids() -> None:
    again = server("old", "example.org/old:1", key="z")
    after = state([KEPT, again], workload("own", "example.org/own:1"), workload("w", "example.org/old:1", again))
    assert compare_states(FIRST, after).same


def line(at: int, entity: str, key: str, name: str, operation: str, detail: str = "") -> HistoryLine:
    return HistoryLine(f"2026-01-01T00:00:{at:02}Z", entity, key, name, operation, detail)


NOW = server("b to c", "example.org/a:3", key="r")
LINES = [
    line(1, "registry", "r", "a to b", "added", "example.org/a:1"),
    line(2, "workload", "w", "w", "added", "example.org/a:1"),
    line(2, "workload", "w", "w", "linked", "to a to b"),
    line(3, "registry", "r", "a to b", "retagged", "from example.org/a:1 to example.org/a:3"),
    line(3, "workload", "w", "w", "drifted", "the catalog now names example.org/a:3"),
    line(4, "registry", "r", "b to c", "renamed", "from a to b to b to c"),
    line(4, "workload", "w", "w", "context-renamed", "from a to b to b to c"),
    line(5, "registry", "gone", "gone", "added", "https://gone.example/mcp"),
    line(6, "registry", "gone", "gone", "removed", "https://gone.example/mcp"),
    line(7, "workload", "w", "w", "updated", "example.org/a:1"),
    line(7, "workload", "w", "w", "unlinked", "from b to c"),
    line(8, "workload", "w", "w", "removed", "example.org/a:1"),
]
THEN = {
    0: ([], []),
    1: ([("a to b", "example.org/a:1")], []),
    2: ([("a to b", "example.org/a:1")], [("w", "a to b")]),
    3: ([("a to b", "example.org/a:3")], [("w", "a to b")]),
    4: ([("b to c", "example.org/a:3")], [("w", "b to c")]),
    5: ([("b to c", "example.org/a:3"), ("gone", "https://gone.example/mcp")], [("w", "b to c")]),
    6: ([("b to c", "example.org/a:3")], [("w", "b to c")]),
    7: ([("b to c", "example.org/a:3")], [("w", None)]),
    8: ([("b to c", "example.org/a:3")], []),
}


@pytest.mark.parametrize("at", THEN)
def test_the_change_log_undone_gives_what_was_stored(at: int) -> None:
    entries, rows = state_at(f"2026-01-01T00:00:{at:02}Z", LINES, [NOW], [])
    found = (
        [(entry.name, entry.identity.raw) for entry in entries],
        [(row.name, row.registry_server_name) for row in rows],
    )
    assert found == THEN[at]
    assert all(row.linked == (row.registry_server_name is not None) for row in rows)


@pytest.mark.parametrize("at", [5, 6, 7, 8])
def test_a_log_that_was_pruned_gives_what_it_still_can(at: int) -> None:
    kept = [item for item in LINES if item.at > "2026-01-01T00:00:04Z"]
    entries, rows = state_at(f"2026-01-01T00:00:{at:02}Z", kept, [NOW], [])
    found = (
        [(entry.name, entry.identity.raw) for entry in entries],
        [(row.name, row.registry_server_name) for row in rows],
    )
    assert found == THEN[at]
