"""Matching and its explanation (M1-M6): identity alone links, everything else is evidence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.identity import parse_url
from mcp_optimizer.domain.matching import (
    Explanation,
    Reason,
    RegistryIndex,
    Subject,
    drift_of,
    explain,
    linkable_to,
    match,
    near_misses,
    url_difference,
)
from mcp_optimizer.domain.models import Drift, Evidence, Kind, Relation, Workload
from tests.support.builders import identity, workload
from tests.unit.builders import DIGEST_A, DIGEST_B, MemoryStore, duplicate, row, server

GOFETCH = "ghcr.io/stackloklabs/gofetch/server:1.0.1"
GOFETCH_NEXT = "ghcr.io/stackloklabs/gofetch/server:1.0.3"
DOCS = "https://learn.example.com/api/mcp"


def subject(name: str, where: str, *, recorded: str | None = None, label: str | None = None) -> Subject:
    """A workload that has no row yet."""
    found = identity(where)
    evidence = Evidence(recorded_registry_server=recorded, image_label=label)
    return Subject(name=name, kind=found.kind, identity=found, evidence=evidence)


def stored(found: Workload, *, rejection: str | None = None) -> Subject:
    """A workload that has a row."""
    return Subject(
        name=found.name,
        kind=found.identity.kind,
        identity=found.identity,
        evidence=found.evidence,
        stored=found,
        rejection=rejection,
    )


def reasons(explanation: Explanation) -> list[tuple[str, str]]:
    return [(miss.registry_server, miss.reason) for miss in explanation.near_misses]


def test_m1_m2_one_entry_of_the_identity_links() -> None:
    index = RegistryIndex([server("gofetch", GOFETCH), server("other", "ghcr.io/other/x:1")])
    found = match(identity("GHCR.io/stackloklabs/gofetch/server:1.0.1"), index)
    assert (found.verdict, found.server, found.claimants) == (Relation.LINKED, index.by_id["id-gofetch"], ())
    assert [(step.step, step.outcome) for step in found.steps] == [("identity", "container"), ("lookup", "match")]


@pytest.mark.parametrize("where", [GOFETCH_NEXT, "ghcr.io/stackloklabs/gofetch/server", "other/gofetch:1.0.1", DOCS])
def test_m1_a_name_never_links(where: str) -> None:
    index = RegistryIndex([server("gofetch", GOFETCH), server("gofetch", "https://gofetch.example/mcp", id="remote")])
    assert match(identity(where), index).verdict is Relation.AUTONOMOUS
    found = explain(subject("gofetch", where, recorded="gofetch", label="gofetch"), index)
    assert (found.verdict, found.registry_server) == (Relation.AUTONOMOUS, None)


def test_m1_a_container_never_links_to_a_remote() -> None:
    index = RegistryIndex([server("docs", "https://ghcr.io/a/b")])
    assert match(identity("ghcr.io/a/b"), index).verdict is Relation.AUTONOMOUS


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4),
    running=st.sampled_from(["a", "b", "c"]),
    evidence=st.sampled_from([None, "a", "b", "c"]),
)
def test_m1_no_name_and_no_evidence_ever_links(names: list[str], running: str, evidence: str | None) -> None:
    rows = [server(name, f"ghcr.io/x/{name}:{place}", id=str(place)) for place, name in enumerate(names)]
    found = explain(subject(running, "ghcr.io/y/z:1", recorded=evidence, label=evidence), RegistryIndex(rows))
    assert (found.verdict, found.registry_server) == (Relation.AUTONOMOUS, None)
    assert all(miss.catalog != miss.running for miss in found.near_misses)


def test_m2_an_identity_claimed_twice_is_rejected_with_every_claimant() -> None:
    index = RegistryIndex([server("a", GOFETCH)], [duplicate(GOFETCH, "a", "b", "c")])
    found = match(identity(GOFETCH), index)
    assert (found.verdict, found.server, found.claimants) == (Relation.REJECTED, None, ("a", "b", "c"))
    assert "a, b, c" in found.steps[-2].detail


def test_m2_a_duplicate_without_a_row_is_rejected_all_the_same() -> None:
    index = RegistryIndex([], [duplicate(GOFETCH, "a", "b")])
    assert match(identity(GOFETCH), index).verdict is Relation.REJECTED


def test_m3_a_choice_among_the_claimants_links() -> None:
    index = RegistryIndex([server("b", GOFETCH)], [duplicate(GOFETCH, "a", "b", chosen="b")])
    found = match(identity(GOFETCH), index)
    assert found.server is index.by_id["id-b"]
    assert [step.outcome for step in found.steps] == ["container", "several claim it", "resolved"]


def test_m3_a_choice_of_an_entry_that_left_settles_nothing() -> None:
    index = RegistryIndex([server("a", GOFETCH)], [duplicate(GOFETCH, "a", "b", chosen="gone")])
    assert match(identity(GOFETCH), index).verdict is Relation.REJECTED


def test_m4_many_workloads_may_link_to_one_entry() -> None:
    store = MemoryStore([server("gofetch", GOFETCH)])
    plan = store.ingest_workloads(*(workload(name, GOFETCH) for name in ("a", "b", "c")))
    assert {change.after.registry_server_id for change in plan.changes} == {"id-gofetch"}
    assert len(plan.changes) == 3


# M5: one test for each reason, with the exact difference.


@pytest.mark.parametrize(
    ("running", "catalog", "reason"),
    [
        (GOFETCH, GOFETCH_NEXT, Reason.OTHER_TAG),
        ("ghcr.io/stackloklabs/gofetch/server", GOFETCH, Reason.OTHER_TAG),
        ("localhost:5000/img:1", "localhost:5000/img:2", Reason.OTHER_TAG),
        (f"ghcr.io/a/b@{DIGEST_A}", "ghcr.io/a/b:1.2", Reason.OTHER_DIGEST),
        (f"ghcr.io/a/b:1.2@{DIGEST_A}", f"ghcr.io/a/b:1.2@{DIGEST_B}", Reason.OTHER_DIGEST),
        ("ghcr.io/a/b:1.2", f"ghcr.io/a/b:1.2@{DIGEST_A}", Reason.OTHER_DIGEST),
        ("mcp/fetch:1", "ghcr.io/stacklok/dockyard/fetch:1", Reason.MOVED_IMAGE),
        (DOCS + "/", DOCS, Reason.TRAILING_SLASH),
        (DOCS, DOCS + "/", Reason.TRAILING_SLASH),
        ("https://learn.example.com", "https://learn.example.com//", Reason.TRAILING_SLASH),
        (DOCS + "?v=1", DOCS, Reason.QUERY_DIFFERS),
        (DOCS + "/?v=1", DOCS + "?v=2", Reason.QUERY_DIFFERS),
        (DOCS.replace("https", "http"), DOCS, Reason.SCHEME_DIFFERS),
        ("https://learn.example.com/sse", DOCS, Reason.PATH_DIFFERS),
        ("https://[::1]:8080/sse", "https://[0::1]:8080/mcp", Reason.PATH_DIFFERS),
        (DOCS, "ghcr.io/other/thing:1", Reason.OTHER_KIND),
    ],
)
def test_m5_each_reason_with_the_exact_difference(running: str, catalog: str, reason: Reason) -> None:
    index = RegistryIndex([server("fetch", catalog), server("unrelated", "ghcr.io/un/related:9")])
    (miss,) = explain(subject("fetch", running), index).near_misses
    assert (miss.registry_server, miss.reason) == ("fetch", reason)
    assert (miss.running, miss.catalog) == (running, catalog)


@pytest.mark.parametrize(
    ("running", "catalog"),
    [
        ("ghcr.io/a/b:1", "https://ghcr.io/a/b"),
        ("localhost:5000/img:1", "https://localhost:5000/img/"),
        ("https://ghcr.io/a/b", "ghcr.io/a/b:1"),
        ("https://localhost:5000/img", "localhost:5000/img:1"),
    ],
)
def test_m5_the_right_identity_of_the_other_kind(running: str, catalog: str) -> None:
    (miss,) = explain(subject("web", running), RegistryIndex([server("fetch", catalog)])).near_misses
    assert (miss.reason, miss.running, miss.catalog) == (Reason.OTHER_KIND, running, catalog)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [({"recorded": "gofetch"}, Reason.RECORDED_PROVENANCE), ({"label": "gofetch"}, Reason.IMAGE_LABEL)],
)
def test_m5_evidence_that_names_an_entry(evidence: dict[str, str], reason: Reason) -> None:
    index = RegistryIndex([server("gofetch", GOFETCH_NEXT)])
    (miss,) = explain(subject("web", "internal.example/fork:7", **evidence), index).near_misses
    assert (miss.reason, miss.running, miss.catalog) == (reason, "internal.example/fork:7", GOFETCH_NEXT)


def test_m5_evidence_may_name_a_claimant_that_has_no_row() -> None:
    index = RegistryIndex(
        [server("database-toolbox", GOFETCH)], [duplicate(GOFETCH, "database-toolbox", "genai-toolbox")]
    )
    found = explain(subject("db", "ghcr.io/x/y:1", recorded="genai-toolbox"), index)
    assert reasons(found) == [("genai-toolbox", Reason.RECORDED_PROVENANCE)]


def test_m5_every_claimant_of_the_identity_is_named() -> None:
    index = RegistryIndex([server("a", GOFETCH)], [duplicate(GOFETCH, "a", "b")])
    found = explain(subject("web", GOFETCH), index)
    assert found.verdict is Relation.REJECTED
    assert reasons(found) == [("a", Reason.DUPLICATE), ("b", Reason.DUPLICATE)]


def test_m5_evidence_tells_the_claimants_apart() -> None:
    index = RegistryIndex([server("a", GOFETCH)], [duplicate(GOFETCH, "a", "b")])
    found = explain(subject("web", GOFETCH, recorded="b"), index)
    assert reasons(found) == [("b", Reason.RECORDED_PROVENANCE), ("a", Reason.DUPLICATE)]


def test_m5_near_misses_come_strongest_first_and_each_entry_once() -> None:
    index = RegistryIndex(
        [
            server("provenance", "ghcr.io/p/p:1"),
            server("label", "ghcr.io/l/l:1"),
            server("tag", GOFETCH_NEXT),
            server("far-tag", GOFETCH.replace("1.0.1", "2.9")),
            server("digest", f"ghcr.io/stackloklabs/gofetch/server@{DIGEST_A}"),
            server("web", "ghcr.io/moved/web:1"),
            server("web", "https://web.example/mcp", id="remote"),
            server("remote", "https://ghcr.io/stackloklabs/gofetch/server"),
            server("unrelated", "ghcr.io/un/related:9"),
        ]
    )
    found = explain(subject("web", GOFETCH, recorded="provenance", label="label"), index)
    assert reasons(found) == [
        ("provenance", Reason.RECORDED_PROVENANCE),
        ("label", Reason.IMAGE_LABEL),
        ("tag", Reason.OTHER_TAG),
        ("far-tag", Reason.OTHER_TAG),
        ("digest", Reason.OTHER_DIGEST),
        ("web", Reason.MOVED_IMAGE),
        ("remote", Reason.OTHER_KIND),
        ("web", Reason.OTHER_KIND),
    ]


def test_m5_an_entry_has_its_strongest_reason_only() -> None:
    index = RegistryIndex([server("gofetch", GOFETCH_NEXT)])
    found = explain(subject("gofetch", GOFETCH, recorded="gofetch", label="gofetch"), index)
    assert reasons(found) == [("gofetch", Reason.RECORDED_PROVENANCE)]


def test_m5_the_matched_server_is_no_near_miss() -> None:
    gofetch = server("gofetch", GOFETCH)
    index = RegistryIndex([gofetch, server("gofetch-next", GOFETCH_NEXT)])
    linked = row("gofetch", GOFETCH, linked_to=gofetch, evidence=Evidence(recorded_registry_server="gofetch"))
    for about in (subject("gofetch", GOFETCH, recorded="gofetch"), stored(linked)):
        found = explain(about, index)
        assert (found.verdict, found.registry_server) == (Relation.LINKED, "gofetch")
        assert reasons(found) == [("gofetch-next", Reason.OTHER_TAG)]


def test_m5_the_drifted_link_is_no_near_miss_of_itself() -> None:
    gofetch = server("gofetch", GOFETCH_NEXT)
    found = explain(stored(row("gofetch", GOFETCH, linked_to=gofetch)), RegistryIndex([gofetch]))
    assert (found.verdict, found.near_misses) == (Relation.LINKED, ())
    assert found.drift == Drift(running=GOFETCH, catalog=GOFETCH_NEXT)
    assert ("drift", "drifted") in [(step.step, step.outcome) for step in found.steps]


def test_m5_linked_by_hand_elsewhere_the_exact_entry_is_in_the_steps_not_a_near_miss() -> None:
    other, exact = server("other", "ghcr.io/other/x:1"), server("exact", GOFETCH)
    linked = row("web", GOFETCH, linked_to=other, evidence=Evidence(recorded_registry_server="exact"))
    found = explain(stored(linked), RegistryIndex([other, exact]))
    assert (found.registry_server, found.near_misses) == ("other", ())
    assert any("exact has exactly this image" in step.detail for step in found.steps)


def test_m5_other_ports_and_hosts_are_no_near_miss() -> None:
    index = RegistryIndex(
        [server("a", "https://learn.example.com:8443/api/mcp"), server("b", "https://x.example/api/mcp")]
    )
    assert near_misses(subject("docs", DOCS), index) == ()


def test_m5_of_several_differences_the_gravest_counts() -> None:
    running = parse_url("http://h.example/a/?q=1")
    assert url_difference(running, parse_url("https://h.example/b")) is Reason.PATH_DIFFERS
    assert url_difference(running, parse_url("https://h.example/a")) is Reason.SCHEME_DIFFERS
    assert url_difference(running, parse_url("http://h.example/a")) is Reason.QUERY_DIFFERS
    assert url_difference(running, running) is None


def test_m5_a_workload_without_identity_is_explained_too() -> None:
    index = RegistryIndex([server("gofetch", GOFETCH)])
    about = Subject(
        name="web",
        kind=Kind.CONTAINER,
        identity=None,
        identity_problem="no image is named",
        evidence=Evidence(image_label="gofetch"),
    )
    found = explain(about, index)
    assert (found.verdict, found.identity) == (Relation.UNIDENTIFIED, "")
    assert found.steps[0].detail == "no image is named"
    assert reasons(found) == [("gofetch", Reason.IMAGE_LABEL)]


rows = st.lists(
    st.tuples(
        st.sampled_from(["web", "gofetch", "docs"]),
        st.sampled_from([GOFETCH, GOFETCH_NEXT, f"ghcr.io/a/b@{DIGEST_A}", "mcp/fetch", DOCS, DOCS + "/", DOCS + "?a"]),
    ),
    max_size=6,
    unique_by=lambda item: item[1],
)
wheres = st.sampled_from([GOFETCH, "ghcr.io/a/b:1", "mcp/fetch", DOCS, DOCS + "/", "http://learn.example.com/sse"])


@settings(max_examples=100, deadline=None)
@given(rows=rows, where=wheres, name=st.sampled_from(["web", "docs"]), twice=st.booleans())
def test_m6_what_is_not_stored_is_explained_by_the_match_itself(
    rows: list[tuple[str, str]], where: str, name: str, twice: bool
) -> None:
    duplicates = [duplicate(where, "docs", "web")] if twice else []
    index = RegistryIndex([server(*item, id=str(place)) for place, item in enumerate(rows)], duplicates)
    about = subject(name, where, recorded="gofetch")
    decided, explained = match(identity(where), index), explain(about, index)
    assert explained.verdict is decided.verdict
    assert explained.registry_server == (decided.server.name if decided.server else None)
    assert explained.steps == decided.steps
    strengths = [list(Reason).index(miss.reason) for miss in explained.near_misses]
    assert strengths == sorted(strengths)
    assert len({(miss.registry_server, miss.catalog) for miss in explained.near_misses}) == len(strengths)
    if not twice:
        canonical = identity(where).canonical
        assert all(identity(miss.catalog).canonical != canonical for miss in explained.near_misses)


def test_m6_a_stored_relation_outlives_the_match_of_this_moment() -> None:
    """L1: the catalog came to claim the identity twice; the link stays, and the steps say both."""
    gofetch = server("gofetch", GOFETCH)
    index = RegistryIndex([gofetch], [duplicate(GOFETCH, "fork", "gofetch")])
    found = explain(stored(row("web", GOFETCH, linked_to=gofetch)), index)
    assert (found.verdict, found.registry_server) == (Relation.LINKED, "gofetch")
    assert [step.outcome for step in found.steps] == ["container", "several claim it", "unresolved", "linked"]


def test_m2_a_rejection_stands_until_it_is_settled_and_the_steps_say_when_it_is() -> None:
    claimed = RegistryIndex([server("a", GOFETCH)], [duplicate(GOFETCH, "a", "b")])
    about = subject("web", GOFETCH).model_copy(update={"rejection": "several registry servers claim it: a, b"})
    found = explain(about, claimed)
    assert (found.verdict, found.registry_server) == (Relation.REJECTED, None)
    assert found.steps[-1].outcome == "rejected"
    settled = explain(about, RegistryIndex([server("a", GOFETCH)]))
    assert (settled.verdict, settled.registry_server) == (Relation.REJECTED, None)
    assert settled.steps[-1].outcome == "settled"


def test_l3_an_autonomous_workload_is_linkable_when_its_entry_appears() -> None:
    index = RegistryIndex([server("gofetch", GOFETCH)])
    found = explain(stored(row("web", GOFETCH)), index)
    assert (found.verdict, found.registry_server, found.linkable_to) == (Relation.AUTONOMOUS, None, "gofetch")
    assert found.steps[-1].outcome == "linkable"
    assert found.near_misses == ()


@pytest.mark.parametrize(
    ("autonomous", "names"),
    [
        (row("web", GOFETCH, linked_to=server("x", "mcp/x")), ()),
        (row("web", GOFETCH, relation_cause="unlinked-by-hand"), ()),
        (row("web", GOFETCH_NEXT), ()),
        (row("web", GOFETCH), ("gofetch", "fork")),
    ],
    ids=["linked already", "unlinked by hand", "another identity", "claimed twice"],
)
def test_l3_not_linkable(autonomous: Workload, names: tuple[str, ...]) -> None:
    duplicates = [duplicate(GOFETCH, *names)] if names else []
    assert linkable_to(autonomous, RegistryIndex([server("gofetch", GOFETCH)], duplicates)) is None


def test_drift_is_by_identity_not_by_spelling() -> None:
    gofetch = server("gofetch", GOFETCH)
    assert drift_of(row("web", GOFETCH.replace("ghcr", "GHCR"), linked_to=gofetch), gofetch) is None
    assert drift_of(row("web", GOFETCH), None) is None
