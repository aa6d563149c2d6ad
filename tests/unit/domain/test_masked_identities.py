"""What earlier versions masked of identities is given back, one to one; links are neither lost nor wrong (I1, L1)."""

from typing import Any

import pytest

from mcp_optimizer.domain.masked_identities import masked_key, unmask_registry, unmask_workloads
from mcp_optimizer.domain.models import Cause, Identity, Kind
from tests.support.builders import catalog, entry, identity, listing, workload
from tests.unit.builders import row, server

URL = "https://h.example/mcp?projectKey="
MASKED = f"{URL}…"
ALPHA, BETA = f"{URL}alpha", f"{URL}beta"


@pytest.mark.parametrize(
    ("whole", "masked"),
    [
        (ALPHA, MASKED),
        ("https://h.example/?author=a&x=1", "https://h.example/?author=…&x=1"),
        ("https://h.example/?monkey=a&tokenizer=b", "https://h.example/?monkey=…&tokenizer=…"),
        ("https://h.example/?next=/x%3Ftoken%3Da", "https://h.example/?next=…"),
        ("https://h.example/?a=1", "https://h.example/?a=1"),
        ("https://h.example/?key=", "https://h.example/?key="),
    ],
)
def test_the_mask_of_earlier_versions_is_known(whole: str, masked: str) -> None:
    assert masked_key(identity(whole)) == identity(masked).key


def unmasked(*incoming: str, stored: Any = (), resolutions: Any = None, workloads: Any = ()) -> dict[str, str]:
    entries = [entry(f"e{place}", url) for place, url in enumerate(incoming)]
    found = unmask_registry(catalog(*entries), stored or [server("a", MASKED)], workloads, resolutions or {})
    return {key: value.raw for key, value in found.registry.items()}


def test_a_row_takes_over_the_one_identity_that_fits() -> None:
    assert unmasked(ALPHA, "https://h.example/other") == {"id-a": ALPHA}
    assert unmasked(ALPHA, ALPHA) == {"id-a": ALPHA}, "claimed twice, it is still one identity"


@pytest.mark.parametrize("incoming", [(ALPHA, BETA), (MASKED, ALPHA), (f"{URL}a&b=1",), ()])
def test_where_several_fit_or_none_does_nothing_is_taken_over(incoming: tuple[str, ...]) -> None:
    assert unmasked(*incoming) == {}


def test_an_identity_that_has_a_row_is_not_taken_over_by_another() -> None:
    assert unmasked(ALPHA, stored=[server("a", MASKED), server("b", ALPHA)]) == {}


def test_m3_a_resolution_follows_its_identity() -> None:
    found = unmask_registry(
        catalog(entry("a", ALPHA), entry("b", ALPHA)), [server("a", MASKED)], [], {identity(MASKED).key: "b"}
    )
    assert found.resolutions == {identity(MASKED).key: identity(ALPHA)}


HOME = server("a", MASKED)


@pytest.mark.parametrize(
    ("home", "observed", "cause", "expected"),
    [
        (server("a", ALPHA), ALPHA, Cause.FIRST_MATCH, ALPHA),
        (server("a", ALPHA), BETA, Cause.FIRST_MATCH, None),
        (server("a", ALPHA), BETA, Cause.LINKED_BY_HAND, BETA),
        (HOME, BETA, Cause.FIRST_MATCH, BETA),
        (None, BETA, Cause.FIRST_MATCH, BETA),
        (server("a", ALPHA), "https://h.example/else", Cause.FIRST_MATCH, None),
    ],
)
def test_l1_a_workload_takes_over_its_identity_where_its_entry_has_the_same(
    home: Any, observed: str, cause: Cause, expected: str | None
) -> None:
    stored = row("w", MASKED, linked_to=home, relation_cause=cause)
    found = unmask_workloads(listing(workload("w", observed)), [stored], [home] if home else [])
    assert {key: value.raw for key, value in found.workloads.items()} == ({"id-w": expected} if expected else {})


def test_who_was_linked_only_because_both_were_masked_loses_the_link() -> None:
    home = server("a", MASKED)
    mine, other = row("mine", ALPHA, linked_to=home), row("other", BETA, linked_to=home)
    hand = row("hand", BETA, linked_to=home, relation_cause=Cause.LINKED_BY_HAND)
    drifted = row("drifted", "https://h.example/else", linked_to=home)
    found = unmask_registry(catalog(entry("a", ALPHA)), [home], [mine, other, hand, drifted], {})
    assert found.mislinked == (other,)


def test_nothing_masked_is_nothing_to_do() -> None:
    plain = Identity(kind=Kind.CONTAINER, canonical="docker.io/x/a:1", raw="x/a:1")
    assert masked_key(plain) == plain.key
    assert unmask_registry(catalog(entry("a", ALPHA)), [server("a", ALPHA)], [], {}).empty
    assert unmask_workloads(listing(workload("w", ALPHA)), [row("w", ALPHA)], []).empty
