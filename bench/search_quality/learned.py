"""Learning from use over the public sets: one half of the queries trains, the other shows what it gained."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.data import MadeUpSource
from bench.report import Figures
from bench.search_quality.methods import DEPTH, difference, measure
from bench.search_quality.public import ConfirmableAction, PublicSet, Scores, read_set
from mcp_optimizer.config import Settings
from mcp_optimizer.db import learning_ops
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.search.learning import SHOWN, LearnReport, NotedCall
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.search.training import transform
from mcp_optimizer.service import DataService

_MAX_SECONDS: Final = 60.0
_MAX_QUERY_MS: Final = 0.1
_TIMED: Final = 2000


async def run_learned(figures: Figures, folder: Path) -> None:
    """Learn on every set of the folder, and print what the other half of its queries gained."""
    figures.head("Learning from use: one half of each set trains, the other half is shown")
    plain: list[Scores] = []
    learned: list[Scores] = []
    for path in sorted(folder.glob("*.json")):
        pool = read_set(path)
        before, after, report = await _learned(pool)
        plain.append(before)
        learned.append(after)
        figures.say(f"seconds to learn, {pool.name}", report.seconds, "s", most=_MAX_SECONDS)
        _table(pool.name, [before], [after], "accepted" if report.accepted else f"not accepted: {report.reason}")
    if not plain:
        sys.stdout.write(f"skipped: no sets in {folder}; name a folder with --sets\n")
        return
    _table("macro", plain, learned, "")
    figures.say("cost of a learned order, a query", _milliseconds(), "ms", most=_MAX_QUERY_MS)


async def _learned(pool: PublicSet) -> tuple[Scores, Scores, LearnReport]:
    """Scores of the shown half in the plain order and in the learned one, by the search itself."""
    with tempfile.TemporaryDirectory() as directory:
        async with DataService(Settings(db_url=f"sqlite:///{directory}/quality.db")) as service:
            await service.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, pool.listing))
            at = service.runtime.timestamp()
            calls = [
                NotedCall(question.text, *min(group), f"session {number}", at)
                for number, question in enumerate(pool.questions[::2])
                for group in question.groups
            ]
            async with service.store.database.writing() as connection:
                await learning_ops.add_calls(connection, calls)
            report = await service.learn()
            shown = pool.questions[1::2]
            return await _scores(service, shown, plain=True), await _scores(service, shown, plain=False), report


async def _scores(service: DataService, questions: Sequence[ConfirmableAction], *, plain: bool) -> Scores:
    results = []
    for question in questions:
        hits = await service.search(SearchQuery(text=question.text, limit=DEPTH, plain=plain))
        right = frozenset().union(*question.groups)
        groups = [group.__contains__ for group in question.groups]
        results.append(measure(right.__contains__, groups, [(hit.server, hit.tool) for hit in hits], SHOWN))
    return np.array(results)


def _table(name: str, plain: Sequence[Scores], learned: Sequence[Scores], outcome: str) -> None:
    for column, what in enumerate(("recall@8", "MRR")):
        before, after = ([scores[:, column] for scores in given] for given in (plain, learned))
        means = [float(np.mean([one.mean() for one in given])) for given in (before, after)]
        gain, low, high = difference(after, before)
        sys.stdout.write(
            f"  {name:<14} {what:<9} plain {means[0]:.3f}  learned {means[1]:.3f}  "
            f"gain {gain:+.3f} [{low:+.3f}, {high:+.3f}]  {outcome if column == 0 else ''}\n"
        )
    sys.stdout.flush()


def _milliseconds() -> float:
    vector = np.ones(384, dtype=np.float32) / 384**0.5
    matrix = np.eye(384, dtype=np.float32)
    start = time.perf_counter()
    for _ in range(_TIMED):
        transform(vector, matrix)
    return 1000 * (time.perf_counter() - start) / _TIMED
