"""Hostile documents: a clear error or a problem of single items, never a crash, nothing lost (B)."""

from pathlib import Path

import pytest

from mcp_optimizer.service import DataService
from tests.support.hostile import documents
from tests.support.hostile_trials import try_out
from tests.support.places import Place


@pytest.mark.timeout(300)
async def test_a_thousand_hostile_documents(service: DataService, database: Place, tmp_path: Path) -> None:
    outcomes = await try_out(service, database, tmp_path, count=1000, seed=20260102, every=25)
    assert outcomes["ingested"] == 40
    assert min(outcomes[what] for what in ("refused", "read", "read, with problems")) > 50, outcomes


def test_hostile_documents_are_the_same_for_the_same_seed() -> None:
    assert list(documents(20, seed=1)) == list(documents(20, seed=1))
    assert list(documents(20, seed=1)) != list(documents(20, seed=2))
