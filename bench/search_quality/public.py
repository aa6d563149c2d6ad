"""Public retrieval sets: tools and queries that nobody here wrote. Read where they are, never copied."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from bench.data import MadeUpSource
from bench.report import Figures
from bench.search_quality.methods import BM25, METHODS, OURS, Compared, Pair, difference, measure
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.identity import container_identity
from mcp_optimizer.domain.models import ObservedWorkload, ToolDefinition, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService

FOLDER: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "retrieval"
"""Where the sets are, unless another folder is named: beside the checkout."""
_SHOWN: Final = 8
_BEHIND_BM25: Final = 0.01

type Scores = NDArray[np.float64]
"""Shape (queries, 2): recall and reciprocal rank."""


class ConfirmableAction(NamedTuple):
    """A query with groups of equal tools; each group is wanted."""

    text: str
    groups: tuple[frozenset[Pair], ...]


class PublicSet(NamedTuple):
    """A pool of tools, as running workloads, and queries."""

    name: str
    listing: WorkloadListing
    questions: tuple[ConfirmableAction, ...]


def read_set(path: Path) -> PublicSet:
    """The set that the file holds."""
    document = orjson.loads(path.read_bytes())
    workloads = [
        ObservedWorkload(
            name=server["name"],
            identity=container_identity(f"bench.example/server-{number}:1"),
            status="running",
            tools=tuple(ToolDefinition(name=tool["name"], details=tool) for tool in server["tools"]),
        )
        for number, server in enumerate(document["servers"])
    ]
    questions = [
        ConfirmableAction(
            item["text"], tuple(frozenset((server, tool) for server, tool in group) for group in item["gold"])
        )
        for item in document["queries"]
    ]
    return PublicSet(path.stem, WorkloadListing(source="bench", workloads=tuple(workloads)), tuple(questions))


async def _scores(pool: PublicSet) -> dict[str, Scores]:
    """Recall at 8 and reciprocal rank of every query, by method."""
    value: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as directory:
        async with DataService(Settings(db_url=f"sqlite:///{directory}/quality.db")) as service:
            await service.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, pool.listing))
            compared = Compared(service)
            await compared.prepare()
            for question in pool.questions:
                right = frozenset[Pair]().union(*question.groups)
                members = [group.__contains__ for group in question.groups]
                for method, result in (await compared.ask(question.text)).items():
                    value[method].append(measure(right.__contains__, members, result, _SHOWN))
    return {method: np.array(pairs) for method, pairs in value.items()}


async def run_public(figures: Figures, folder: Path) -> None:
    """Measure every set of the folder, and print the tables."""
    figures.head("Quality of search over public sets (recall: share of the wanted tools among the first 8)")
    paths = sorted(folder.glob("*.json"))
    if not paths:
        sys.stdout.write(f"skipped: no sets in {folder}; name a folder with --sets\n")
        return
    by_set = {}
    for path in paths:
        pool = read_set(path)
        by_set[pool.name] = await _scores(pool)
        _table(f"{pool.name}, {len(pool.questions)} queries", {m: s.mean(axis=0) for m, s in by_set[pool.name].items()})
    macro = {method: np.mean([scores[method].mean(axis=0) for scores in by_set.values()], axis=0) for method in METHODS}
    _table("macro mean", macro)
    _differences(list(by_set.values()))
    for name, scores in by_set.items():
        behind = float((scores[OURS] - scores[BM25]).mean(axis=0)[0])
        figures.say(f"recall@8 beside BM25, {name}", behind, "", least=-_BEHIND_BM25)


def _table(title: str, rows: Mapping[str, Scores]) -> None:
    sys.stdout.write(f"\n{title:<40} recall@8  MRR\n")
    for method, row in rows.items():
        sys.stdout.write(f"  {method:<38} {row[0]:.3f}     {row[1]:.3f}\n")
    sys.stdout.flush()


def _differences(sets: Sequence[Mapping[str, Scores]]) -> None:
    sys.stdout.write(f"\n{'ours less the other, macro, 95% interval':<42} recall@8{'':<18} MRR\n")
    for method in METHODS[:-1]:
        cells = []
        for column in (0, 1):
            gain, low, high = difference(
                [scores[OURS][:, column] for scores in sets], [scores[method][:, column] for scores in sets]
            )
            cells.append(f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]")
        sys.stdout.write(f"  {method:<38} {'  '.join(f'{cell:<25}' for cell in cells)}\n")
