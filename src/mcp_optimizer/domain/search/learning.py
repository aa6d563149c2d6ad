"""What counts of the calls that followed queries, and when an order that was learned is better (Q6). Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.search.offers import ToolName

LEAST_QUERIES: Final = 20
"""With fewer different queries nothing can be learned that held-out ones could confirm."""
DUE_CALLS: Final = 50
"""Calls that a server waits for before it learns by itself."""
DUE_NEW_CALLS: Final = 20
"""Calls that are new since it last tried."""
DUE_DAYS: Final = 30
"""After so long it learns again: what is old counts less."""
SHOWN: Final = 8
"""A right tool is to be among so many."""

_HALF_LIFE_DAYS: Final = 60.0
_OLDEST_DAYS: Final = 365.0
_PAIR_VOTES: Final = 3.0
"""What one query counts for one tool at most, however many sessions agree."""
_LEAST_BOUND: Final = 5.0
"""Votes that a tool or a session has at least room for."""
_MAX_SHARE: Final = 0.1
"""Share of all votes that one tool, or one session, has at most."""
_FIFTHS: Final = 5
_LEAST_GAIN: Final = 0.005
_LOST_SHARE: Final = 0.02
"""Share of the store's other tools that may leave the first places of what they say of themselves."""


class NotedCall(NamedTuple):
    """A tool that was offered for a query, and called next in the same session, with success."""

    query: str
    server: str
    tool: str
    session: str
    at: str


class LabelledQuery(NamedTuple):
    """A query, and what each tool that was called after it counts."""

    text: str
    votes: Mapping[ToolName, float]


class Quality(Value):
    """How well held-out queries find what was called after them."""

    recall: float
    """Share of the called tools among the first 8."""
    mrr: float
    """Mean of 1 / the place of the first called tool."""


class ToolVotes(Value):
    """What was called, how often, and what of it counted: the calls of few sessions count little."""

    server: str
    tool: str
    calls: int
    votes: float


class MovedTool(Value):
    """A called tool whose place for a query is another with what was learned. None: not found."""

    query: str
    server: str
    tool: str
    plain_rank: int | None
    learned_rank: int | None


class LearnReport(Value):
    """What learning did, or would do."""

    calls: int
    queries: int
    held_out: int = 0
    """Queries that were asked of an order trained without them."""
    before: Quality | None = None
    after: Quality | None = None
    accepted: bool = False
    reason: str
    """Why it was accepted, or not."""
    dry_run: bool = False
    tools: tuple[ToolVotes, ...] = ()
    """Those with the most votes."""
    moved: tuple[MovedTool, ...] = ()
    """Places of held-out queries that change."""
    lost: tuple[str, ...] = ()
    """What was found before, and would not be any more."""
    seconds: float = 0.0


class ForgetReport(Value):
    """What was forgotten, or would be."""

    calls: int
    orders: int
    """Models for which an order had been learned."""
    dry_run: bool = False


def labelled_queries(calls: Iterable[NotedCall], now: datetime) -> list[LabelledQuery]:
    """The queries, as they were last written, with what each called tool counts, sorted.

    A session counts once a query; old calls count less; a tool, a session and a pair of query and tool are bounded.
    """
    calls = list(calls)
    texts = {query_key(call.query): call.query for call in calls}
    votes = _single_votes(calls, now)
    votes = _bounded(votes, lambda key: key[0], _room(votes))
    pairs: dict[tuple[str, ToolName], float] = defaultdict(float)
    for (_, query, tool), vote in votes.items():
        pairs[query, tool] += vote
    pairs = {key: min(vote, _PAIR_VOTES) for key, vote in pairs.items()}
    pairs = _bounded(pairs, lambda key: key[1], _room(pairs))
    queries: dict[str, dict[ToolName, float]] = defaultdict(dict)
    for (query, tool), vote in pairs.items():
        queries[query][tool] = vote
    return [LabelledQuery(texts[query], queries[query]) for query in sorted(queries)]


def _single_votes(calls: Iterable[NotedCall], now: datetime) -> dict[tuple[str, str, ToolName], float]:
    """By session, query and tool; what a session called after one query shares one vote."""
    weights: dict[tuple[str, str], dict[ToolName, float]] = defaultdict(dict)
    for call in calls:
        days = (now - datetime.fromisoformat(call.at)).total_seconds() / 86400
        if days <= _OLDEST_DAYS:
            weight = 0.5 ** (max(days, 0.0) / _HALF_LIFE_DAYS)
            tools = weights[call.session, query_key(call.query)]
            tools[call.server, call.tool] = max(weight, tools.get((call.server, call.tool), 0.0))
    return {
        (session, query, tool): weight / len(tools)
        for (session, query), tools in weights.items()
        for tool, weight in tools.items()
    }


def query_key(query: str) -> str:
    """A query as it is counted: case and space make no other one of it."""
    return " ".join(query.casefold().split())


def _room[K](votes: Mapping[K, float]) -> float:
    return max(_LEAST_BOUND, _MAX_SHARE * sum(votes.values()))


def _bounded[K, G](votes: Mapping[K, float], group: Callable[[K], G], most: float) -> dict[K, float]:
    """The votes, those of a group with more than ``most`` made smaller alike."""
    sums: dict[G, float] = defaultdict(float)
    for key, vote in votes.items():
        sums[group(key)] += vote
    return {key: vote * min(1.0, most / sums[group(key)]) for key, vote in votes.items()}


def splits(queries: Sequence[LabelledQuery]) -> list[tuple[list[LabelledQuery], list[LabelledQuery]]]:
    """Four fifths to train on and one to be held out, five times, so that each query is held out once.

    The same ones every time. One fifth of a hundred queries alone would let chance decide.
    """
    ordered = sorted(queries, key=lambda query: hashlib.sha256(query.text.encode()).digest())
    parts = [ordered[start::_FIFTHS] for start in range(_FIFTHS)]
    return [([query for part in (*parts[:at], *parts[at + 1 :]) for query in part], parts[at]) for at in range(_FIFTHS)]


def quality(places: Sequence[Sequence[int | None]]) -> Quality:
    """Of queries with the places of their called tools."""
    if not places:
        return Quality(recall=0.0, mrr=0.0)
    recalls = [sum(place is not None and place <= SHOWN for place in one) / len(one) for one in places]
    firsts = [1 / min((place for place in one if place), default=float("inf")) for one in places]
    return Quality(recall=sum(recalls) / len(places), mrr=sum(firsts) / len(places))


def verdict(before: Quality, after: Quality, *, lost_known: Sequence[str], lost: int, probes: int) -> tuple[bool, str]:
    """Whether an order is accepted, and why. ``lost_known``: saved queries, exact names; ``lost``: of ``probes``."""
    if after.recall < before.recall or after.mrr < before.mrr:
        return False, "held-out queries would find less"
    if after.recall - before.recall + after.mrr - before.mrr < _LEAST_GAIN:
        return False, "held-out queries would find no more"
    if lost_known:
        return False, f"{len(lost_known)} known answers would be lost"
    if lost > _LOST_SHARE * probes:
        return False, f"{lost} of {probes} other tools would no longer be found by what they say of themselves"
    return True, "held-out queries find more, and nothing known is lost"


def vote_counts(calls: Iterable[NotedCall], queries: Iterable[LabelledQuery]) -> list[ToolVotes]:
    """Every called tool, most calls first."""
    counts: dict[ToolName, int] = defaultdict(int)
    votes: dict[ToolName, float] = defaultdict(float)
    for call in calls:
        counts[call.server, call.tool] += 1
    for query in queries:
        for tool, vote in query.votes.items():
            votes[tool] += vote
    ordered = sorted(counts, key=lambda tool: (-counts[tool], tool))
    return [
        ToolVotes(server=tool[0], tool=tool[1], calls=counts[tool], votes=round(votes[tool], 2)) for tool in ordered
    ]
