"""The rules of docs/rules.md and what cites them agree."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\b(?:S[1-9]|I[1-9]|M[1-9]|C[1-9]|L[1-9]\d?|E[1-9]|Q[1-9])\b|\((?:P|B)\)")
DEFINED = re.compile(r"^- \*\*([A-Z]\d*)\*\*", re.MULTILINE)


def cited(folder: str) -> Iterator[tuple[str, str]]:
    """Every citation of a rule below a folder: the rule, and where."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path != Path(__file__):
            for match in RULE.finditer(path.read_text(encoding="utf-8")):
                yield match[0].strip("()"), path.relative_to(ROOT).as_posix()


RULES = DEFINED.findall((ROOT / "docs" / "rules.md").read_text(encoding="utf-8"))


def test_every_rule_is_defined_once() -> None:
    assert len(RULES) == len(set(RULES)) >= 50


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "migrations"])
def test_every_cited_rule_exists(folder: str) -> None:
    unknown = {(rule, path) for rule, path in cited(folder) if rule not in RULES}
    assert unknown == set()


def test_every_rule_is_cited_by_a_test() -> None:
    assert set(RULES) - {rule for rule, _ in cited("tests")} == set()
