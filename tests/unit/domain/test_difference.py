"""Where two texts differ (M5: the exact difference)."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.difference import Pieces, common_prefix, mark_difference, underline


def marked(pieces: Pieces) -> str:
    return "".join(f"[{piece.text}]" if piece.differs else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("running", "catalog", "ours", "theirs"),
    [
        ("gofetch/server:1.0.1", "gofetch/server:1.0.3", "gofetch/server:1.0.[1]", "gofetch/server:1.0.[3]"),
        ("https://h/mcp/", "https://h/mcp", "https://h/mcp[/]", "https://h/mcp"),
        ("http://h/mcp", "https://h/mcp", "http://h/mcp", "http[s]://h/mcp"),
        ("ghcr.io/a/b:1", "ghcr.io/b/b:2", "ghcr.io/[a]/b:[1]", "ghcr.io/[b]/b:[2]"),
        ("same", "same", "same", "same"),
        ("", "x", "", "[x]"),
        ("", "", "", ""),
    ],
)
def test_m5_only_what_differs_is_marked(running: str, catalog: str, ours: str, theirs: str) -> None:
    left, right = mark_difference(running, catalog)
    assert (marked(left), marked(right)) == (ours, theirs)


texts = st.text(alphabet="ab/:1", max_size=30)


@settings(max_examples=150, deadline=None)
@given(texts, texts)
def test_m5_joined_the_pieces_give_the_texts_and_what_is_alike_is_alike(running: str, catalog: str) -> None:
    pieces = mark_difference(running, catalog)
    assert ["".join(piece.text for piece in half) for half in pieces] == [running, catalog]
    alike = ["".join(piece.text for piece in half if not piece.differs) for half in pieces]
    assert alike[0] == alike[1]
    for half in pieces:
        assert all(piece.text for piece in half)
        assert all(one.differs != other.differs for one, other in pairwise(half))


def test_b_long_hostile_texts_take_no_time() -> None:
    start = time.perf_counter()
    running, catalog = mark_difference("x" + "ab" * 20_000 + "y", "z" + "ba" * 20_000 + "w")
    assert time.perf_counter() - start < 2
    assert (len(marked(running)), len(marked(catalog))) == (40_004, 40_004)


def test_underline_marks_what_differs() -> None:
    running, _ = mark_difference("img:1.0.1-a", "img:1.0.3-a")
    assert underline(running) == "        ^"
    assert underline(mark_difference("a", "a")[0]) == ""


def test_common_prefix() -> None:
    assert [common_prefix(*pair) for pair in (("abc", "abd"), ("", "a"), ("a", "ab"))] == [2, 0, 1]


@pytest.mark.parametrize(("length", "runs"), [(199, 2), (200, 2), (201, 1)])
def test_m5_up_to_200_by_200_characters_are_compared_one_by_one(length: int, runs: int) -> None:
    running, catalog = mark_difference(f"a{'c' * (length - 2)}b", f"x{'c' * 198}y")
    assert (marked(running).count("["), marked(catalog).count("[")) == (runs, runs)
