"""How what meaning and words find becomes one list (Q1), and when a search is sure of nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.domain.search.rank import SERVER_SHARE, WORD_SHARE, PhraseMatches, RankedTool, TextMatch, fused
from mcp_optimizer.domain.views import CountedHits, Scope, SearchHit, are_weak


def phrase(
    distances: dict[str, float], words: dict[str, tuple[float, float]] | None = None, text: str = "", **more: object
) -> PhraseMatches:
    """``words``: tool to BM25 and coverage."""
    matches = {tool: TextMatch(tool, score, coverage) for tool, (score, coverage) in (words or {}).items()}
    return PhraseMatches(text, distances, matches=matches, **more)  # type: ignore[arg-type]


def order(*phrases: PhraseMatches, near: str = "", exact: str = "", ratio: float = 0.5) -> str:
    return "".join(item.id for item in fused(phrases, set(near), set(exact), semantic_ratio=ratio))


def test_q1_values_are_added() -> None:
    found = fused([phrase({"a": 0.4}, {"a": (3.0, 0.25)}, server_distances={"a": 0.5})], {"a"}, ())
    assert found[0].vector_score == pytest.approx(0.6 + SERVER_SHARE * 0.5)
    assert found[0].word_score == pytest.approx(WORD_SHARE * 0.5)
    assert found[0].score == pytest.approx(found[0].vector_score + found[0].word_score)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"b": (9.0, 0.9)}, "ba"),  # words lift a tool that is less like
        ({"b": (9.0, 0.9), "a": (9.0, 0.9)}, "ab"),  # both have them: likeness decides
        ({"b": (1.0, 0.04), "a": (9.0, 0.5)}, "ab"),
        ({"b": (5.0, 0.01)}, "ab"),  # one word of a hundred says little
        ({}, "ab"),
    ],
)
def test_q1_words_and_likeness_weigh_each_other(words: dict[str, tuple[float, float]], expected: str) -> None:
    assert order(phrase({"a": 0.4, "b": 0.5}, words), near="ab") == expected


def test_q1_a_tool_found_by_words_alone_has_its_real_likeness() -> None:
    alike = {"a": (5.0, 0.5), "b": (5.0, 0.5)}
    assert order(phrase({"a": 0.9, "b": 0.6}, alike)) == "ba"
    found = {item.id: item for item in fused([phrase({"a": 0.9}, alike)], (), ())}
    assert (found["a"].semantic_rank, found["a"].distance, found["b"].distance) == (None, 0.9, None)


def test_q1_an_exact_name_comes_first_whatever_its_score() -> None:
    assert order(phrase({"a": 0.1, "b": 0.9}, {"a": (9.0, 1.0)}), near="ab", exact="b") == "ba"


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, "ba"), (0.0, "ac"), (0.5, "abc")])
def test_q1_a_half_of_no_weight_finds_nothing(ratio: float, expected: str) -> None:
    both = phrase({"a": 0.6, "b": 0.5, "c": 1.2}, {"a": (9.0, 1.0), "c": (1.0, 0.1)})
    assert order(both, near="ab", ratio=ratio) == expected


def test_q1_each_sentence_brings_its_tool_forward() -> None:
    whole = phrase({"a": 0.50, "b": 0.52, "c": 0.49})
    one, two = phrase({"a": 0.2, "b": 0.9, "c": 0.5}, text="one"), phrase({"a": 0.9, "b": 0.2, "c": 0.5}, text="two")
    assert order(whole, near="abc") == "cab"
    found = fused([whole, one, two], {"a", "b", "c"}, ())
    assert [(item.id, item.sentence) for item in found[:2]] == [("a", "one"), ("b", "two")]
    assert found[0].score == pytest.approx((0.5 + 0.8) / 2)


def test_q1_another_models_cosines_are_stretched_to_the_common_spread() -> None:
    near = {"a": 0.10, "b": 0.12, "c": 0.15}  # all very like, as some models say
    assert order(phrase(near, {"c": (5.0, 0.9)}, bounds=(0.85, 0.90)), near="abc") == "cab"
    assert order(phrase(near, bounds=(0.85, 0.90)), near="abc") == "abc"
    assert order(phrase(near, bounds=(0.9, 0.9)), near="abc") == "abc"
    found = fused([phrase({"a": 0.15, "b": 0.125, "c": 0.10}, bounds=(0.85, 0.90))], "abc", ())
    assert [(item.id, round(item.score, 6)) for item in found] == [("c", 0.35), ("b", 0.175), ("a", 0.0)]


@pytest.mark.parametrize("expected", ["abcd", "dcba", "bdac", "cabd"])
@pytest.mark.parametrize("bounds", [None, (0.2, 0.9)])
def test_q1_the_order_by_meaning_follows_meaning_not_ids(expected: str, bounds: tuple[float, float] | None) -> None:
    distances = {tool: 0.2 + 0.1 * place for place, tool in enumerate(expected)}
    found = fused([phrase(distances, bounds=bounds)], expected, ())
    assert "".join(item.id for item in found) == expected
    assert [item.semantic_rank for item in found] == [1, 2, 3, 4]


@pytest.mark.parametrize("expected", ["abc", "cba", "bca"])
def test_q1_the_order_by_words_follows_their_score_not_ids(expected: str) -> None:
    found = fused([phrase({}, {tool: (9.0 - place, 0.5) for place, tool in enumerate(expected)})], (), ())
    assert "".join(item.id for item in found) == expected
    assert [item.text_rank for item in found] == [1, 2, 3]


@pytest.mark.parametrize("expected", ["ab", "ba"])
def test_q1_a_tool_of_a_server_that_is_more_like_comes_first(expected: str) -> None:
    servers = {expected[0]: 0.2, expected[1]: 0.6}
    assert order(phrase({"a": 0.5, "b": 0.5}, server_distances=servers), near="ab") == expected


def test_q3_a_tool_that_is_only_ranked_counts_nothing() -> None:
    assert (RankedTool("a").score, RankedTool("a").vector_score, RankedTool("a").word_score) == (0.0, 0.0, 0.0)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 2)),
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(0, 100), st.floats(0, 1))),
    st.floats(0, 1),
)
def test_q3_ranks_are_those_of_each_half(
    distances: dict[str, float], words: dict[str, tuple[float, float]], ratio: float
) -> None:
    found = fused([phrase(distances, words)], distances, (), semantic_ratio=ratio)
    for half in ("semantic_rank", "text_rank"):
        ranks = sorted(rank for item in found if (rank := getattr(item, half)) is not None)
        assert ranks == list(range(1, len(ranks) + 1))
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def hit(distance: float | None, *, coverage: float = 0.0, exact: bool = False) -> SearchHit:
    return SearchHit(
        server="s", tool="t", scope=Scope.WORKLOAD, description="", score=1, semantic_rank=1, text_rank=None,
        semantic_distance=distance, coverage=coverage, exact_name=exact,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "weak"),
    [
        ([hit(0.8), hit(0.9)], True),
        ([hit(0.9), hit(0.7)], False),  # one that is like enough
        ([hit(0.9, coverage=0.9)], False),
        ([hit(0.9, exact=True)], False),
        ([hit(None)], False),  # without a model nothing is known
        ([], False),
    ],
)
def test_a_search_that_is_sure_of_nothing_says_so(hits: list[SearchHit], *, weak: bool) -> None:
    assert are_weak(hits) is weak
    assert CountedHits(hits, 0).weak is weak
