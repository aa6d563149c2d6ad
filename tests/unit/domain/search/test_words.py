"""The words of a query, where a tool has them, and what misspelt ones mean (Q1-Q3)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.db.sqlite.full_text import quoted
from mcp_optimizer.domain.search.spelling import corrections, edit_distance, vocabulary
from mcp_optimizer.domain.search.words import (
    MAX_SENTENCES,
    MAX_TERMS,
    coverage,
    is_unspaced,
    mark_words,
    matched_words,
    pairs,
    query_terms,
    sentences,
    stem,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京の天気", ["東京", "京の", "の天", "天気"]),
        ("天", ["天"]),
        ("plain", []),
        ("get 天気 now", ["天気"]),
        ("", []),
    ],
)
def test_scripts_without_spaces_are_cut_into_pairs(text: str, expected: list[str]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("how do I list the issues", ["list", "issues"]),
        ("get_currentTime", ["get_currenttime", "get", "current", "time"]),
        ("the of and", ["the", "of", "and"]),
        ('a "quoted" OR (thing)', ["quoted", "thing"]),
        ("天気予報", ["天気", "気予", "予報"]),
        ("  ", []),
        ("🧭", []),
    ],
)
def test_q2_terms_of_a_query(query: str, terms: list[str]) -> None:
    assert query_terms(query) == terms


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("One sentence only.", []),
        ("", []),
        ("Book a flight to Rome. Then rent a car.", ["Book a flight to Rome.", "Then rent a car."]),
        ("Find the file; delete it after that", ["Find the file;", "delete it after that"]),
        ("list all pods\nrestart the failing one", ["list all pods", "restart the failing one"]),
        ("東京の天気を調べて。次に予定を作成する。", ["東京の天気を調べて。", "次に予定を作成する。"]),
        ("Costs 1.5 credits at example.com/a?b=c today", []),
        ("Please! Show me the weather. Thanks.", []),
    ],
)
def test_q1_a_query_of_several_sentences_has_parts(query: str, expected: list[str]) -> None:
    assert sentences(query) == expected


@pytest.mark.parametrize("count", [2, 4, 5, 9, 23, 200])
def test_q1_no_sentence_is_left_out_of_a_long_query(count: int) -> None:
    query = " ".join(f"It is w{number} x." for number in range(count))[:2000]
    parts = sentences(query)
    assert 2 <= len(parts) <= MAX_SENTENCES
    assert " ".join(parts).split()[: 4 * min(count, 100)] == query.split()[: 4 * min(count, 100)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=10_000))
def test_q2_any_text_has_few_safe_terms(text: str) -> None:
    terms = query_terms(text)
    assert len(terms) <= MAX_TERMS
    assert all(quoted(term).rstrip("*")[1:-1].replace('""', "").count('"') == 0 for term in terms)
    matched = matched_words(terms, {"name": text, "description": text[::-1]})
    assert 0 <= coverage(terms, matched) <= 1
    marked = mark_words(text, terms, lambda word: f"<{word}>")
    assert len(marked) >= len(text)


def test_q3_words_are_found_whatever_their_ending() -> None:
    fields = {"name": "create_issues create issues", "description": "Created by committing.", "parameters": ""}
    assert matched_words(["issue", "create", "commit", "sue"], fields) == {
        "name": ("issue", "create"),
        "description": ("create", "commit"),
    }
    assert mark_words("Create issues", ["issue"], str.upper) == "Create ISSUES"


def sought_the_plain_way(term: str, text: str) -> bool:
    """Whether a text has a word of a query, without looking for its beginning first."""
    begin = stem(term)
    ending = "" if len(begin) <= 3 and begin == term else r"[^\W_]{0,6}"
    pattern = re.escape(term) if is_unspaced(term) else rf"(?<![^\W_]){re.escape(begin)}{ending}(?![^\W_])"
    return re.search(pattern, text) is not None


WORDS = st.sampled_from(["issue", "issues", "sue", "a", "get", "create", "created", "天気", "予", "x", "tion", "é"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, min_size=1, max_size=4, unique=True),
    st.lists(st.one_of(WORDS, st.sampled_from(" _-.")), max_size=12),
)
def test_q3_a_quick_look_finds_what_a_thorough_one_does(terms: list[str], parts: list[str]) -> None:
    text = "".join(parts)
    found = matched_words(terms, {"name": text}).get("name", ())
    assert found == tuple(term for term in terms if sought_the_plain_way(term, text))


def test_a_word_in_a_name_counts_more_than_in_a_parameter() -> None:
    assert coverage(["a", "b"], {"name": ("a",), "parameters": ("a", "b")}) == pytest.approx(0.75)
    assert coverage([], {}) == 0


def test_stems() -> None:
    assert {stem("commits"), stem("committed"), stem("commit")} == {"commit"}
    assert stem("get") == "get"
    assert stem("天気予報") == "天気予報"


KNOWN = vocabulary(["git_commit", "getForecast", "list_repositories", "git_commit_all", "calendar"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [("comit", "commit"), ("forcast", "forecast"), ("ofrecast", None), ("repositroies", "repositories"), ("xyz", None)],
)
def test_misspelt_words_are_put_right(word: str, meant: str | None) -> None:
    assert corrections([word], KNOWN).get(word) == meant


def test_known_words_stay_and_unfinished_ones_are_finished() -> None:
    assert corrections(["commit", "calendar"], KNOWN) == {}
    assert corrections(["cal"], KNOWN, unfinished="cal") == {"cal": "calendar"}


@settings(max_examples=100, deadline=None)
@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_edit_distance_is_symmetric_and_zero_only_for_equals(one: str, other: str) -> None:
    assert edit_distance(one, other, 8) == edit_distance(other, one, 8)
    assert (edit_distance(one, other, 8) == 0) == (one == other)
