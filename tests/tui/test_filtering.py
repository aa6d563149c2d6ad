"""The filter language."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.tui.format.filter import filter_problem, parse

ROW = {
    "name": "github-prod",
    "status": "running",
    "identity": "ghcr.io/github/server:1.0.1",
    "group": "team a",
    "tools": "1,204",
    "updated": "3h",
    "relation": "linked\ndrifted",
}


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
        ("status:error|running", True),
        ("status:error|stopped", False),
        ("!status:error|stopped", True),
        ("status:=stopped|=running", True),
        ('group:="team b"|="team a"', True),
        ("gitlab|github", True),
        ("gitlab|bitbucket", False),
        ("tools:>5", True),
        ("tools:>=1204", True),
        ("tools:<1,204", False),
        ("!tools:>5", False),
        ("tools:>x", False),
        ("updated:<1d", True),
        ("updated:>2h", True),
        ("updated:>=1w", False),
        ("/git(hub|lab)/", True),
        ("name:/^github/", True),
        ("name:/^prod/", False),
        ("!name:/PROD$/", False),
        ("/(/", False),
        ("relation:drifted", True),
        ("relation:=drifted", True),
        ("relation:linked", True),
        ("relation:=link", False),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nofield:x", "There is no field nofield; there are: group"),
        ("!nofield:x", "There is no field nofield"),
        ("name:/(/", "/(/ is not a regular expression"),
        ("tools:>many", "many is neither a number nor an age"),
        ("updated:<soon|<1d", "soon is neither"),
        ("tools:>5 updated:<1d name:/x/ a|b https://x", ""),
    ],
)
def test_what_is_not_understood_is_said(text: str, words: str) -> None:
    problem = filter_problem(text, ROW)
    assert problem.startswith(words)
    assert bool(problem) is bool(words)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(x+x+)+y",
        "(.*a){20}$",
        "(?:a?){30}a{30}$",
        "(?:a{1000}){1000}",
        "(a{60000}){60000}",
        "(.*)*" * 40,
        "(.*)*" * 2_000,
        "(" * 5_000,
        r"(a*)*\1$",
        "(?=(a+)+$)",
        "\ud800",
    ],
)
def test_no_regular_expression_holds_up_the_screen(pattern: str) -> None:
    """A thousand rows, made to be slow for any engine that goes back."""
    rows = ["a" * 200 + "!" + "x" * 60] * 1_000
    start = time.thread_time()
    wanted = parse(f"/{pattern}/", ROW.keys())
    for row in rows:
        wanted.passes(row, lambda _: "")
    filter_problem(f"/{pattern}/", ROW.keys())
    assert time.thread_time() - start < 1


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("a" * 201, "may have 200 characters; this one has 201"), ("(?=a)", "without lookaround"), ("[", "RE2")],
)
def test_a_regular_expression_that_is_refused_is_said(pattern: str, words: str) -> None:
    assert words in filter_problem(f"/{pattern}/", ROW.keys())
    assert not passes(f"/{pattern}/")
