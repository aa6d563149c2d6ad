"""Descriptions of the program's predecessor are taken apart as they were put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.legacy.old_descriptions import OldDescription, compose, take_apart

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="|,:", exclude_categories=["Cc", "Z"]), max_size=12)
NAMES = st.lists(WORDS.filter(bool), min_size=1, max_size=3).map(" ".join)
BODIES = st.lists(WORDS, max_size=4).map(" | ".join).map(str.strip)
TAGS = st.lists(WORDS.filter(bool), max_size=4, unique=True).map(tuple)


@given(NAMES, BODIES, TAGS)
def test_what_was_put_together_comes_apart(name: str, body: str, tags: tuple[str, ...]) -> None:
    taken = take_apart(compose(name, body, tags))
    assert taken == OldDescription(server=name, description=body, tags=tags)


@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=3).map(tuple))
def test_any_text_has_parts(stored: str, names: tuple[str, ...]) -> None:
    taken = take_apart(stored, names)
    assert all(tag.strip() == tag and tag for tag in taken.tags)
    assert len(taken.description) <= len(stored)


@pytest.mark.parametrize(
    ("stored", "names", "taken"),
    [
        ("Reads files.", (), OldDescription(server=None, description="Reads files.")),
        ("", (), OldDescription(server=None)),
        ("Autonomous embedding from tool mean pooling", (), OldDescription(server=None)),
        ("Server: one", (), OldDescription(server="one")),
        ("Server: one | Tags: a, b, a", (), OldDescription(server="one", tags=("a", "b"))),
        (
            "Server: one | Description: Says | Tags: no, yes. | Tags: a",
            (),
            OldDescription(server="one", description="Says | Tags: no, yes.", tags=("a",)),
        ),
        (
            "Server: a | Description: b | Description: c",
            ("a | Description: b",),
            OldDescription(server="a | Description: b", description="c"),
        ),
        ("Serverless, it runs.", (), OldDescription(server=None, description="Serverless, it runs.")),
    ],
)  # fmt: skip
def test_single_descriptions(stored: str, names: tuple[str, ...], taken: OldDescription) -> None:
    assert take_apart(stored, names) == taken
