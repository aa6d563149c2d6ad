"""The table: semantic alone, text alone, both after another, and ours; on the same store in the same run."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.data import MadeUpSource
from bench.report import Figures
from bench.search_quality.gather import Corpus, gather
from bench.search_quality.queries import Query, queries
from mcp_optimizer.config import Settings
from mcp_optimizer.db.engines import index_of
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.search_words import query_terms
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.search.hybrid import sides
from mcp_optimizer.service import DataService

_DEPTH: Final = 50
_EACH: Final = 4
"""Of the plain concatenation: so many hits of each half."""
_METHODS: Final = ("semantic alone", "text alone", "4 semantic + 4 text", "ours")

type Found = list[tuple[str, str]]
"""Servers and tools, best first."""


async def ask(service: DataService, query: Query) -> dict[str, Found]:
    """What each method finds."""
    search = service._search
    asked = SearchQuery(text=query.text, scope=Scope.ALL, status=None, limit=_DEPTH)
    vector = await search.vector(query.text)
    names: dict[str, tuple[str, str]] = {}
    async with service.store.database.reading() as connection:
        answers = await search.answers(connection, asked, query.text, vector, depth=_DEPTH)
        near = [key for key, _ in sorted(answers.near, key=lambda pair: pair[1])]
        matches = []
        for side in sides(Scope.ALL):
            terms = query_terms(query.text)
            found = await index_of(connection).matching_tools(connection, side, terms, limit=_DEPTH, servers=None)
            matches += [(match.score, match.id) for match in found]
        words = [key for _, key in sorted(matches, reverse=True)]
        servers = {view.id: view.name for view in (*await service.registry_servers(), *await service.workloads())}
        for ops in (service.store.workload_tools, service.store.registry_tools):
            tools = await ops.by_ids(connection, list({*near, *words}))
            names |= {key: (servers[tool.server_id], tool.name) for key, tool in tools.items()}
    both = near[:_EACH] + [key for key in words if key not in near[:_EACH]][:_EACH]
    ours = [(hit.server, hit.tool) for hit in await service.search(asked)]
    lists = {"semantic alone": near, "text alone": words, "4 semantic + 4 text": both}
    return {name: [names[key] for key in keys] for name, keys in lists.items()} | {"ours": ours}


def first_right(query: Query, found: Found) -> int | None:
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
        places: dict[str, dict[Query, int | None]] = {method: {} for method in _METHODS}
        unanswerable = []
        for query in queries():
            if not query.answers or not _answerable(query, corpus):
                unanswerable.append(query)
                continue
            for method, found in (await ask(service, query)).items():
                places[method][query] = first_right(query, found)
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
    for title, wanted in (("tuned on", {False}), ("reported only", {True}), ("all", {False, True})):
        count = sum(query.held in wanted for query in places["ours"])
        say(f"\n{title} ({count} queries){'':<{24 - len(title)}} recall@1   @5     @8     MRR\n")
        table = {
            method: scores([place for query, place in found.items() if query.held in wanted])
            for method, found in places.items()
        }
        for method, row in table.items():
            say(f"  {method:<38} {'  '.join(f'{value:.3f}' for value in row)}\n")
        others = [max(table[method][column] for method in _METHODS[:-1]) for column in range(4)]
        worst = min(ours - other for ours, other in zip(table["ours"], others, strict=True))
        figures.say(f"ours above the best of the others in every column, {title}", worst, "", least=0)
    say("\nours by kind of query" + " " * 21 + "recall@1   @5     @8     MRR\n")
    for kind in dict.fromkeys(query.kind for query in places["ours"]):
        row = scores([place for query, place in places["ours"].items() if query.kind == kind])
        say(f"  {kind:<38} {'  '.join(f'{value:.3f}' for value in row)}\n")
    say(f"\nshare of the query's words in the first hit: {nothing[0]:.2f} where nothing is right, ")
    say(f"{nothing[1]:.2f} where something is\n")


def run(figures: Figures) -> None:
    """Gather and measure."""
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
