"""Two servers for a quarter of an hour, in a world that goes wrong (``task soak-serve``)."""

import os
from pathlib import Path

import pytest

from tests.support.serve_soak import soak
from tests.support.server_process import server_environment

pytestmark = [pytest.mark.soak, pytest.mark.sqlite, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("SOAK_SECONDS") or 900)
SEED = int(os.environ.get("SOAK_SEED") or 1)


async def test_serving(tmp_path: Path, model_cache: Path) -> None:
    told = await soak(tmp_path, server_environment(tmp_path, model_cache), seconds=SECONDS, seed=SEED, say=print)
    print(f"\n{SECONDS:g} s of serving, seed {SEED}:")
    for name, count in sorted(told.counts.items()):
        print(f"  {count:>8}  {name}")
    print(
        f"  memory of the server that lived: {told.megabytes[0]:.0f} MB at first, {told.megabytes[-1]:.0f} MB at last"
    )
    print(f"  last quarter against the first: {told.growth(0):.3f}, against the third: {told.growth(2):.3f}")
    print(f"  stored: {told.before} before, {told.after} after; {len(told.problems)} problems of the store")
    assert told.errors == []
    assert told.after == told.before, "nothing was lost, nothing came twice"
    assert told.problems == []
    assert told.growth(0) < 1.15, "the caches of the database fill up"
    assert told.growth(2) < 1.05, "and then nothing grows"
    assert told.counts["servers killed"] >= 2 <= told.counts["ToolHive restarted elsewhere"]
