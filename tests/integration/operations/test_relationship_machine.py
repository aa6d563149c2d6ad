"""Relations live through everything: random events against a rulebook of dictionaries (C1-C7, L1-L11, M1-M4, I4)."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.places import Place
from tests.support.relationship_machine import RelationshipMachine, laboratory

SEQUENCES = {"sqlite": 300, "postgresql": 60}
"""So many; where a database is made more slowly, fewer."""


def quick(sequences: int) -> settings:
    """Settings of a run that is the same each time."""
    return settings(
        max_examples=sequences,
        stateful_step_count=6,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(600)
def test_the_store_says_what_the_rulebook_says(engine: str, database: Place, empty_database: Place) -> None:
    with laboratory(database, empty_database) as lab:
        run_state_machine_as_test(lambda: RelationshipMachine(lab), settings=quick(SEQUENCES[engine]))
    for event in ("ingest", "rematch", "link", "unlink", "kept for its links"):
        assert lab.counts[event] > 0, lab.counts
