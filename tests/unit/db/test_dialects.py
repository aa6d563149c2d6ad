"""What is special to one engine stands in its modules only (S5)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ENGINES = re.compile(r"^src/mcp_optimizer/(db/sqlite/\w+|db/postgres/\w+|maintenance/backup|legacy/\w+)\.py$")
"""The modules of an engine; copies beside the file and the predecessor's databases are SQLite's own, too."""
WORDS = re.compile(
    r"json_extract|json_each|json_group|\browid\b|PRAGMA|VACUUM|sqlite_(master|sequence|schema)|\bvec0\b|\bfts5\b|(?-i:\bMATCH\b)"
    r"|[\w)]::[a-z]|\bpg_(?!dump\b)\w+|jsonb|\bILIKE\b|tsvector|to_tsquery|hnsw|<=>|\bANY\(:|setval|information_schema"
    r"|INSERT OR |IFNULL|last_insert|strftime|\bGLOB\b|BEGIN IMMEDIATE",
    re.IGNORECASE,
)


def dialect_words(source: str) -> list[str]:
    """Words of one engine's SQL in the literals of a module; its docstrings may speak of them."""
    tree = ast.parse(source)
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    literals = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]
    return [found.group() for literal in literals if " " in literal for found in WORDS.finditer(literal)]


def test_no_other_module_speaks_a_dialect() -> None:
    found = {}
    for path in sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("migrations/**/*.py")]):
        name = path.relative_to(ROOT).as_posix()
        if not ENGINES.match(name) and (words := dialect_words(path.read_text())):
            found[name] = words
    assert found == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = \"SELECT json_extract(a, '$.b') FROM t\"", ["json_extract"]),
        ('x = f"SELECT rowid FROM {y}"', ["rowid"]),
        ('x = "SELECT a::text FROM t"', ["a::t"]),
        ('x = "PRAGMA user_version"', ["PRAGMA"]),
        ('"""A PRAGMA of SQLite."""', []),
        ('x = "the host ::1 or fe80::1 is this machine"', []),
        ('x = "SELECT name FROM sqlite_master"', ["sqlite_master"]),
    ],
)
def test_the_rule_itself(source: str, words: list[str]) -> None:
    assert dialect_words(source) == words
