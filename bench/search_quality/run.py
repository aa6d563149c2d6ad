"""The tables: ours beside four baselines, on the same stores in the same run."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data import MadeUpSource
from bench.report import Figures
from bench.search_quality.gather import Corpus, gather
from bench.search_quality.learned import run_learned
from bench.search_quality.methods import METHODS, OURS, Compared, Pair
from bench.search_quality.public import FOLDER, run_public
from bench.search_quality.queries import Query, queries
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.service import DataService


def first_right(query: Query, found: Sequence[Pair]) -> int | None:
    """The place, from 1, of the first right answer."""
    return next((place for place, pair in enumerate(found, start=1) if query.answered_by(*pair)), None)


def scores(places: Sequence[int | None]) -> tuple[float, float, float, float]:
    """Share of queries with a right answer among the first 1, 5 and 8, and the mean of 1 / its place."""
    count = max(len(places), 1)
    within = [sum(place is not None and place <= k for place in places) / count for k in (1, 5, 8)]
    return within[0], within[1], within[2], sum(1 / place for place in places if place) / count


async def measure(figures: Figures, corpus: Corpus, directory: Path) -> None:
    """Fill a store with the corpus, ask every query, print the table."""
    settings = Settings(db_url=f"sqlite:///{directory / 'quality.db'}")
    async with DataService(settings) as service:
        await service.ingest_from(IngestPart.ALL, MadeUpSource(corpus.catalog, corpus.listing))
        places: dict[str, dict[Query, int | None]] = {method: {} for method in METHODS}
        compared = Compared(service)
        await compared.prepare()
        unanswerable = []
        for query in queries():
            if not query.answers or not _answerable(query, corpus):
                unanswerable.append(query)
                continue
            for method, result in (await compared.ask(query.text)).items():
                places[method][query] = first_right(query, result)
        nothing = await _nothing_right(service)
    _print(figures, places, [query for query in unanswerable if query.answers], nothing)


def _answerable(query: Query, corpus: Corpus) -> bool:
    servers = (*corpus.catalog.entries, *corpus.listing.workloads)
    return any(query.answered_by(server.name, tool.name) for server in servers for tool in server.tools or ())


async def _nothing_right(service: DataService) -> tuple[float, float]:
    """Mean coverage of the first hit, where nothing is right and where something is."""
    covered: dict[bool, list[float]] = {True: [], False: []}
    for query in queries():
        hits = await service.search(SearchQuery(text=query.text, scope=Scope.ALL, status=None, limit=1))
        covered[bool(query.answers)] += [hit.coverage for hit in hits]
    return _mean(covered[False]), _mean(covered[True])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _print(
    figures: Figures,
    places: Mapping[str, Mapping[Query, int | None]],
    skipped: Sequence[Query],
    nothing: tuple[float, float],
) -> None:
    say = sys.stdout.write
    if skipped:
        say(f"{len(skipped)} queries left out: no right tool could be had here\n")
    for title, target in (("tuned on", {False}), ("reported only", {True}), ("all", {False, True})):
        count = sum(query.held in target for query in places[OURS])
        say(f"\n{title} ({count} queries){'':<{24 - len(title)}} recall@1   @5     @8     MRR\n")
        table = {
            method: scores([place for query, place in result.items() if query.held in target])
            for method, result in places.items()
        }
        for method, row in table.items():
            say(f"  {method:<38} {'  '.join(f'{value:.3f}' for value in row)}\n")
        others = [max(table[method][column] for method in METHODS[:-1]) for column in range(4)]
        worst = min(ours - other for ours, other in zip(table[OURS], others, strict=True))
        figures.say(f"ours above the best of the others in every column, {title}", worst, "", least=0)
    say("\nours by kind of query" + " " * 21 + "recall@1   @5     @8     MRR\n")
    for kind in dict.fromkeys(query.kind for query in places[OURS]):
        row = scores([place for query, place in places[OURS].items() if query.kind == kind])
        say(f"  {kind:<38} {'  '.join(f'{value:.3f}' for value in row)}\n")
    say(f"\nshare of the query's words in the first hit: {nothing[0]:.2f} where nothing is right, ")
    say(f"{nothing[1]:.2f} where something is\n")


def run(figures: Figures, folder: Path = FOLDER, *, learned: bool = False) -> None:
    """Measure over the public sets of ``folder``, then over our own queries; or only what learning from use gains."""
    if learned:
        asyncio.run(run_learned(figures, folder))
        return
    asyncio.run(run_public(figures, folder))
    figures.head("Quality of search (a right answer is among the first k)")
    corpus = asyncio.run(gather())
    registry = sum(len(entry.tools) for entry in corpus.catalog.entries)
    live = sum(len(item.tools or ()) for item in corpus.listing.workloads)
    sys.stdout.write(
        f"{registry} tools of {len(corpus.catalog.entries)} catalog entries, {live} of {len(corpus.listing.workloads)} "
        f"servers started here or in the sample; {corpus.described} with a description\n"
    )
    if corpus.missing:
        sys.stdout.write(f"not to be had here: {', '.join(corpus.missing)}\n")
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(measure(figures, corpus, Path(temporary)))
