"""Where recorded provenance and the matcher disagree (M5): said in words, and never part of the verdict (M1)."""

import pytest

from mcp_optimizer.domain.matching import RegistryIndex, Subject, disagreement, explain
from mcp_optimizer.domain.models import Alias, Cause, Evidence, Workload
from tests.support.builders import identity
from tests.unit.builders import row, server

ONE, TWO = "ghcr.io/x/one:1", "ghcr.io/x/two:1"
HERE, OTHER = server("one", ONE), server("two", TWO)
INDEX = RegistryIndex([HERE, OTHER])


def said(found: Workload, index: RegistryIndex = INDEX, **evidence: str) -> str | None:
    """The disagreement of a workload of which this is recorded."""
    return disagreement(found.model_copy(update={"evidence": Evidence(**evidence)}), index)


def test_m5_what_is_recorded_and_what_is_matched_agree() -> None:
    linked = row("w", ONE, linked_to=HERE)
    assert said(linked) is None, "nothing is recorded"
    assert said(linked, recorded_registry_server="one", image_label="one") is None


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"recorded_registry_server": "two"}, "ToolHive recorded two, but it is linked to one"),
        ({"image_label": "two"}, "the image label names two, but it is linked to one"),
        (
            {"recorded_registry_server": "one", "image_label": "two"},
            "the image label names two, but it is linked to one",
        ),
        ({"recorded_registry_server": "gone"}, "ToolHive recorded gone, but it is linked to one"),
    ],
    ids=["recorded", "labelled", "only one of two", "of no entry"],
)
def test_m5_a_linked_workload_that_was_recorded_as_another(evidence: dict[str, str], words: str) -> None:
    linked = row("w", ONE, linked_to=HERE)
    assert said(linked, **evidence) == words


def test_m5_an_autonomous_workload_that_was_recorded_as_an_entry() -> None:
    assert said(row("w", "else/where:1"), recorded_registry_server="one") == (
        "ToolHive recorded one, but it is linked to nothing"
    )


def test_m5_c2_a_record_older_than_a_rename_agrees() -> None:
    before = Alias(registry_server_id=HERE.id, name="earlier", identity=identity(ONE))
    linked = row("w", ONE, linked_to=HERE)
    assert said(linked, RegistryIndex([HERE, OTHER], aliases=[before]), recorded_registry_server="earlier") is None
    elsewhere = row("w", TWO, linked_to=OTHER)
    assert said(elsewhere, RegistryIndex([HERE, OTHER], aliases=[before]), recorded_registry_server="earlier")


@pytest.mark.parametrize("cause", [Cause.LINKED_BY_HAND, Cause.UNLINKED_BY_HAND])
def test_m5_l5_a_persons_decision_is_not_questioned(cause: Cause) -> None:
    home = HERE if cause is Cause.LINKED_BY_HAND else None
    assert said(row("w", ONE, linked_to=home, relation_cause=cause), recorded_registry_server="two") is None


def test_m1_m5_the_explanation_tells_evidence_and_disagreement_beside_the_verdict() -> None:
    evidence = Evidence(recorded_registry_server="two")
    found = row("w", ONE, linked_to=HERE, evidence=evidence)
    told = explain(
        Subject(name="w", kind=found.identity.kind, identity=found.identity, evidence=evidence, stored=found), INDEX
    )
    assert (told.registry_server, told.evidence) == ("one", evidence)
    assert told.disagreement == "ToolHive recorded two, but it is linked to one"
