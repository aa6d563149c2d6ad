"""What counts of calls, and what is learned from them: pure (Q6)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from mcp_optimizer.domain.search.learning import (
    LabelledQuery,
    NotedCall,
    Quality,
    labelled_queries,
    quality,
    splits,
    verdict,
    vote_counts,
)
from mcp_optimizer.domain.search.offers import Offers
from mcp_optimizer.domain.views import Scope, SearchHit, learned_words
from mcp_optimizer.search.training import train, transform

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def call(query: str, tool: str = "a", session: str = "s", days: float = 0.0) -> NotedCall:
    at = (NOW - timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return NotedCall(query, "srv", tool, session, at)


def votes_of(calls: list[NotedCall], tool: str) -> float:
    return sum(query.votes.get(("srv", tool), 0.0) for query in labelled_queries(calls, NOW))


# What counts


@pytest.mark.parametrize(
    "query", ["open a bug", "OPEN  a bug", " open\na bug "], ids=["the same", "other case", "other space"]
)
def test_q6_a_thousand_calls_of_one_session_after_one_query_are_one_vote(query: str) -> None:
    calls = [call("open a bug"), *[call(query) for _ in range(1000)]]
    assert votes_of(calls, "a") == pytest.approx(1.0)


def test_q6_what_a_session_calls_after_one_query_shares_its_vote() -> None:
    calls = [call("q", tool) for tool in "abcd"]
    (query,) = labelled_queries(calls, NOW)
    assert sum(query.votes.values()) == pytest.approx(1.0)


def test_q6_one_tool_called_after_everything_is_bounded() -> None:
    honest = [call(f"query {n}", f"tool{n % 20}", f"s{n}") for n in range(200)]
    hostile = [call(f"query {n}", "evil", f"h{n}") for n in range(200)]
    everything = labelled_queries([*honest, *hostile], NOW)
    total = sum(sum(query.votes.values()) for query in everything)
    assert votes_of([*honest, *hostile], "evil") <= 0.1 * 400 + 1e-6
    assert votes_of([*honest, *hostile], "evil") < 0.2 * total


def test_q6_one_session_is_bounded_whatever_it_asks() -> None:
    honest = [call(f"query {n}", f"tool{n % 20}", f"s{n}") for n in range(100)]
    hostile = [call(f"other {n}", f"evil{n % 50}", "h") for n in range(500)]
    total = sum(votes_of([*honest, *hostile], f"evil{n}") for n in range(50))
    assert total <= 0.1 * 600 + 1e-6


def test_q6_many_sessions_that_agree_on_one_query_are_bounded() -> None:
    assert votes_of([call("q", session=f"s{n}") for n in range(500)], "a") == pytest.approx(3.0)


def test_q6_old_calls_count_less_and_leave() -> None:
    assert votes_of([call("q")], "a") > votes_of([call("q", days=60)], "a") > votes_of([call("q", days=200)], "a") > 0
    assert labelled_queries([call("q", days=400)], NOW) == []


def test_a_call_of_the_future_counts_as_one_of_now() -> None:
    assert votes_of([call("q", days=-30)], "a") == pytest.approx(1.0)


def test_what_was_called_is_told_beside_what_of_it_counted() -> None:
    calls = [call("q", session=f"s{n}") for n in range(9)]
    (told,) = vote_counts(calls, labelled_queries(calls, NOW))
    assert (told.tool, told.calls, told.votes) == ("a", 9, 3.0)


def test_each_query_is_held_out_once_and_the_same_way_every_time() -> None:
    queries = [LabelledQuery(f"q{n}", {}) for n in range(53)]
    parts = splits(queries)
    assert [len(held_out) for _, held_out in parts] == [11, 11, 11, 10, 10]
    assert sorted(query.text for _, held_out in parts for query in held_out) == sorted(q.text for q in queries)
    for training, held_out in parts:
        assert {query.text for query in training} == {q.text for q in queries} - {query.text for query in held_out}
    assert splits(list(reversed(queries))) == parts


# Which offer a call answers


def test_a_call_answers_the_last_query_of_its_session_that_offered_the_tool() -> None:
    offers = Offers()
    offers.add("s", "first", [("srv", "a"), ("srv", "b")], at=0)
    offers.add("s", "second", [("srv", "b")], at=1)
    offers.add("other", "third", [("srv", "a")], at=2)
    assert offers.query_of("s", "srv", "b", at=3) == "second"
    assert offers.query_of("s", "srv", "a", at=3) == "first"


@pytest.mark.parametrize(
    ("session", "server", "tool", "at"),
    [
        ("s", "srv", "never offered", 1), ("s", "other", "a", 1), ("t", "srv", "a", 1), ("", "srv", "a", 1),
        ("s", "srv", "a", 4000),
    ],
    ids=["another tool", "another server", "another session", "no session", "too late"],
)  # fmt: skip
def test_a_call_without_an_offer_says_nothing(session: str, server: str, tool: str, at: float) -> None:
    offers = Offers()
    offers.add("s", "q", [("srv", "a")], at=0)
    offers.add("", "q", [("srv", "a")], at=0)
    assert offers.query_of(session, server, tool, at=at) is None


def test_of_one_offer_a_tool_counts_once() -> None:
    offers = Offers()
    offers.add("s", "q", [("srv", "a")], at=0)
    assert [offers.query_of("s", "srv", "a", at=1) for _ in range(3)] == ["q", None, None]


def test_offers_remembered_are_bounded() -> None:
    offers = Offers()
    for number in range(3000):
        offers.add(f"s{number}", "q", [("srv", "a")], at=0)
        offers.add("busy", f"q{number}", [("srv", f"t{number}")], at=0)
    assert len(offers._sessions) <= 1000
    assert len(offers._sessions["busy"]) <= 8
    assert offers.query_of("busy", "srv", "t2999", at=1) == "q2999"


# When it is accepted


def good(recall: float, mrr: float) -> Quality:
    return Quality(recall=recall, mrr=mrr)


@pytest.mark.parametrize(
    ("after", "lost_known", "lost", "accepted"),
    [
        (good(0.9, 0.8), [], 0, True),
        (good(0.8, 0.8), [], 2, True),
        (good(0.8, 0.7), [], 0, False),
        (good(0.79, 0.9), [], 0, False),
        (good(0.9, 0.69), [], 0, False),
        (good(0.9, 0.8), ["saved"], 0, False),
        (good(0.9, 0.8), [], 3, False),
    ],
    ids=["both better", "one better", "no better", "recall falls", "mrr falls", "a saved one lost", "others lost"],
)
def test_q6_only_what_finds_more_and_loses_nothing_is_accepted(
    after: Quality, lost_known: list[str], lost: int, *, accepted: bool
) -> None:
    assert verdict(good(0.8, 0.7), after, lost_known=lost_known, lost=lost, probes=100)[0] is accepted


def test_quality_is_of_every_called_tool() -> None:
    assert quality([[1, 9], [None, 2]]) == Quality(recall=0.5, mrr=0.75)
    assert quality([[None]]) == Quality(recall=0.0, mrr=0.0)
    assert quality([]) == Quality(recall=0.0, mrr=0.0)


# Training


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def skewed(count: int, tools: int, seed: int = 3) -> tuple[NDArray[np.float32], NDArray[np.float32], list[int]]:
    """Queries that say something else than the tools that answer them, all in the same way."""
    rng = np.random.default_rng(seed)
    pool = unit(rng.standard_normal((tools, 32)))
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((32, 32)))[0]
    right = [int(n) for n in rng.integers(0, tools, count)]
    queries = unit(0.5 * pool[right] + pool[right] @ turn + 0.2 * rng.standard_normal((count, 32)))
    return queries, pool, right


def first_right(queries: NDArray[np.float32], pool: NDArray[np.float32], right: list[int]) -> float:
    return float(np.mean((queries @ pool.T).argmax(axis=1) == right))


def test_q6_training_helps_queries_it_has_not_seen() -> None:
    queries, pool, right = skewed(160, 30)
    matrix = train(queries[:120], pool, [{row: 1.0} for row in right[:120]])
    plain = first_right(queries[120:], pool, right[120:])
    assert first_right(transform(queries[120:], matrix), pool, right[120:]) > plain + 0.1


def test_training_is_the_same_every_time_and_of_length_one() -> None:
    queries, pool, right = skewed(40, 20)
    labels = [{row: 1.0} for row in right]
    matrix = train(queries, pool, labels)
    assert np.array_equal(matrix, train(queries, pool, labels))
    assert np.allclose(np.linalg.norm(transform(queries, matrix), axis=1), 1, atol=1e-5)
    assert np.allclose(transform(queries[0], matrix), transform(queries, matrix)[0], atol=1e-6)


def test_of_many_tools_a_sample_with_the_hard_ones_is_contrasted() -> None:
    queries, pool, right = skewed(30, 4000)
    matrix = train(queries, pool, [{row: 1.0} for row in right])
    turned = transform(queries, matrix)
    gain = np.einsum("ij,ij->i", turned, pool[right]) - np.einsum("ij,ij->i", queries, pool[right])
    assert gain.mean() > 0.05


def test_what_a_query_counts_decides_how_much_is_learned_from_it() -> None:
    queries = unit(np.array([[1.0, 0.0, 0.0], [1.0, 0.05, 0.0]]))
    pool = unit(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    matrix = train(queries, pool, [{0: 3.0}, {1: 0.1}])
    assert first_right(transform(queries, matrix), pool, [0, 0]) == 1.0


# In words


@pytest.mark.parametrize(
    ("learned", "plain", "calls", "words"),
    [
        (1, 5, 12, "called 12 times after such questions; without it at place 5"),
        (1, 2, 1, "called 1 time after such questions; without it at place 2"),
        (3, None, 0, "from calls after other questions; without it not found"),
        (2, 2, 12, ""),
        (None, None, 0, ""),
    ],
)
def test_a_hit_says_what_was_learned_where_its_place_is_another(
    learned: int | None, plain: int | None, calls: int, words: str
) -> None:
    hit = SearchHit(
        server="s", tool="t", scope=Scope.WORKLOAD, description="", score=1, semantic_rank=1, semantic_distance=0.1,
        text_rank=None, learned_rank=learned, plain_rank=plain, learned_calls=calls,
    )  # fmt: skip
    assert learned_words(hit) == words
