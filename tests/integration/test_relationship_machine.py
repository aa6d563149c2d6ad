"""Relations live through everything: random events against a rulebook of dictionaries (C1-C6, L1-L11, M1-M4)."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.relationship_machine import RelationshipMachine, laboratory

QUICK = settings(
    max_examples=300,
    stateful_step_count=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(600)
def test_the_store_says_what_the_rulebook_says(tmp_path: Path, empty_database: Path) -> None:
    with laboratory(tmp_path, empty_database) as lab:
        run_state_machine_as_test(lambda: RelationshipMachine(lab), settings=QUICK)
    assert min(lab.counts[event] for event in ("ingest", "rematch", "link", "unlink", "resolve")) > 20, lab.counts
