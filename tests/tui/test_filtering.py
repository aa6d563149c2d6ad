"""The filter language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.tui.filtering import parse

ROW = {"name": "github-prod", "status": "running", "identity": "ghcr.io/github/server:1.0.1", "group": "team a"}


def passes(text: str) -> bool:
    """Whether the row above passes."""
    return parse(text, ROW.keys()).passes("\n".join(ROW.values()), lambda name: ROW[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("github", True),
        ("GitHub", True),
        ("gitlab", False),
        ("github running", True),
        ("github stopped", False),
        ("!github", False),
        ("!stopped", True),
        ("~ghprd", True),
        ("~zzz", False),
        ("!~ghprd", False),
        ("status:run", True),
        ("status:=run", False),
        ("status:=running", True),
        ("!status:running", False),
        ("name:~gtb", True),
        ('group:="team a"', True),
        ("server:1.0.1", True),
        ("https://x", False),
        ("!", True),
        ("status:", True),
        ('"', True),
    ],
)
def test_words(text: str, expected: bool) -> None:
    assert passes(text) is expected


@given(st.text())
def test_every_text_is_a_filter(text: str) -> None:
    passes(text)
