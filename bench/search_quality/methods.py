"""What is compared: ours, and four baselines of the same store in the same run."""

from collections.abc import Callable, Sequence
from typing import Final

import bm25s
import numpy as np
from numpy.typing import NDArray

from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.search.words import query_terms
from mcp_optimizer.domain.tools.text import name_words, parameter_words
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.service import DataService

DEPTH: Final = 50
_EACH: Final = 4
"""Of the plain concatenation: so many hits of each half."""
OURS: Final = "ours"
BM25: Final = "BM25 (bm25s)"
METHODS: Final = ("vector alone", "full text alone", "4 vector + 4 full text", BM25, OURS)

type Pair = tuple[str, str]
"""A server and a tool."""


class Compared:
    """Asks every method of one store that holds still."""

    def __init__(self, service: DataService) -> None:
        self._service = service
        self._pairs: dict[str, Pair] = {}
        self._ids: list[str] = []
        self._bm25 = bm25s.BM25()

    async def prepare(self) -> None:
        """Read every tool, and index them for BM25: name, server, description and parameters as one text."""
        store = self._service.store
        texts: list[str] = []
        async with store.database.reading() as connection:
            for servers, ops in (
                (await store.registry_servers.all(connection), store.registry_tools),
                (await store.workloads.all(connection), store.workload_tools),
            ):
                for server in servers:
                    for tool in await ops.of_server(connection, server.id):
                        self._pairs[tool.id] = (server.name, tool.name)
                        self._ids.append(tool.id)
                        words = f"{name_words(tool.name)} {name_words(server.name)} {tool.definition.description}"
                        texts.append(f"{words} {parameter_words(tool.details)}")
        self._bm25.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)

    async def ask(self, text: str) -> dict[str, list[Pair]]:
        """What each method finds, best first."""
        search = self._service._search
        vector = await search.vector(text)
        near: list[tuple[float, str]] = []
        words: list[tuple[float, str]] = []
        async with self._service.store.database.reading() as connection:
            index = index_of(connection)
            for side in Side:
                if vector is not None:
                    results = await index.nearest_tools(connection, side, vector, limit=DEPTH, servers=None)
                    near += [(item.distance, item.id) for item in results]
                terms = query_terms(text)
                matches = await index.matching_tools(connection, side, terms, limit=DEPTH, servers=None)
                words += [(-match.score, match.id) for match in matches]
        by_vector, by_words = ([key for _, key in sorted(results)][:DEPTH] for results in (near, words))
        both = by_vector[:_EACH] + [key for key in by_words if key not in by_vector[:_EACH]][:_EACH]
        hits = await self._service.search(SearchQuery(text=text, scope=Scope.ALL, status=None, limit=DEPTH))
        lists = (by_vector, by_words, both, self._by_bm25(text))
        results = [[self._pairs[key] for key in keys] for keys in lists]
        return dict(zip(METHODS, [*results, [(hit.server, hit.tool) for hit in hits]], strict=True))

    def _by_bm25(self, text: str) -> list[str]:
        tokens = bm25s.tokenize([text], stopwords="en", return_ids=False, show_progress=False)
        if not tokens[0]:
            return []
        places, _ = self._bm25.retrieve(tokens, k=min(DEPTH, len(self._ids)), show_progress=False)
        return [self._ids[int(place)] for place in places[0]]


def difference(
    ours: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], *, rounds: int = 2000
) -> tuple[float, float, float]:
    """Macro mean over sets of ours less the other, and the bounds of its 95% interval, by bootstrap over queries."""
    rng = np.random.default_rng(1)
    gains = [one - two for one, two in zip(ours, other, strict=True)]

    def drawn(gain: NDArray[np.float64]) -> NDArray[np.float64]:
        return gain[rng.integers(0, len(gain), (rounds, len(gain)))].mean(axis=1)

    means = np.mean([drawn(gain) for gain in gains], axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean([gain.mean() for gain in gains])), float(low), float(high)


def measure(
    answers: Callable[[Pair], bool], groups: Sequence[Callable[[Pair], bool]], found: Sequence[Pair], k: int
) -> tuple[float, float]:
    """Share of the groups with a member among the first ``k``, and 1 / the place of the first right answer."""
    shares = [any(member(pair) for pair in found[:k]) for member in groups]
    place = next((at for at, pair in enumerate(found, start=1) if answers(pair)), None)
    return sum(shares) / len(shares), 0.0 if place is None else 1 / place
