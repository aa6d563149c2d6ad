"""``search learn`` and ``search forget`` on the command line (Q6)."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.cli.main import DONE, FAILED, USAGE

pytestmark = pytest.mark.sqlite


def test_learning_from_nothing_says_so(filled: Any) -> None:
    code, out, _ = filled("search", "learn")
    assert code == DONE
    assert "not accepted: too few different queries: 0 of at least 20" in out
    report = json.loads(filled("search", "learn", "--dry-run", "--json")[1])
    assert (report["accepted"], report["dry_run"], report["queries"], report["before"]) == (False, True, 0, None)


def test_forgetting_asks_first(filled: Any) -> None:
    assert filled("search", "forget")[0] == USAGE
    assert filled("search", "forget", "--dry-run")[1] == "would forget 0 calls and 0 learned orders\n"
    assert json.loads(filled("search", "forget", "--yes", "--json")[1]) == {"calls": 0, "orders": 0, "dry_run": False}


@pytest.mark.parametrize("word", ["learn", "forget"])
def test_a_query_of_one_of_these_words_comes_behind_dashes(filled: Any, word: str) -> None:
    code, out, _ = filled("search", "--json", "--", word)
    assert code == DONE
    assert isinstance(json.loads(out), list)


def test_a_query_that_only_begins_with_such_a_word_is_a_query(filled: Any) -> None:
    assert isinstance(json.loads(filled("search", "learn the weather", "--json")[1]), list)


def test_a_plain_search_and_saved_queries(filled: Any, tmp_path: Path) -> None:
    hits = json.loads(filled("search", "weather forecast", "--plain", "--json")[1])
    assert (hits[0]["plain_rank"], hits[0]["learned_rank"], hits[0]["learned_calls"]) == (None, None, 0)
    saved = tmp_path / "saved.json"
    saved.write_text("[{]")
    assert filled("search", "learn", "--check", str(saved))[0] == FAILED


def test_where_it_is_off_the_remedy_is_named(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_OPTIMIZER_SEARCH_LEARNING", "false")
    code, _, err = filled("search", "learn")
    assert code == FAILED
    assert "search_learning" in err
