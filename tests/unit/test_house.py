"""The shape of the code: packages of a size one can take in, short import chains, one name for one thing."""

import ast
import io
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "mcp_optimizer"
PACKAGE = SOURCE.name
MAX_LOOSE_MODULES = 8
MAX_FILES = 20
MAX_CHAIN = 18

REPLACED = re.compile(
    r"Surroundings|surroundings|chance|Accepting|Calling|Installing|Relating|Deletion|_Decisions|"
    r"StalePlanError|until_applied|Catalogue|Presence|EmbeddingMemory|ModelThreads|Soundness|WriterNote|"
    r"OneVisitCursor|may_run_here|one_at_a_time|Resident|OnProgress|Answering|Guard|why_not_bound|"
    r"BoundedHttp|Searcher|Asked|Answered|GoneError|_tend|_somewhere|_rests_until|CheckedTransport|"
    r"shake_hands|Exposure|Pace|heirs|public_url|public_message|storable|spoil|LogBook|by_meaning|_MANY|"
    r"_PATIENCE|_SMALL|_REST|_NEARLY|_FEW|_SOON"
)
"""Private words that the glossary replaces."""


def modules() -> dict[str, Path]:
    """Every module below the package, by its dotted name without the package's."""
    paths: dict[str, Path] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def imported(body: list[ast.stmt], known: dict[str, Path]) -> Iterator[str]:
    """Modules of the package that are imported when the module is: not by its functions, not for types alone."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            base = (node.module or "").removeprefix(PACKAGE).lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                yield name if name in known else base
        elif isinstance(node, ast.Try) or (isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test)):
            yield from imported(node.body, known)


def longest_chain() -> list[str]:
    """The longest way from a module through what it imports. Fails where imports loop."""
    known = modules()
    arrows = {name: set(imported(ast.parse(path.read_text()).body, known)) - {name, ""} for name, path in known.items()}
    chains: dict[str, list[str]] = {}

    def chain(name: str, above: tuple[str, ...] = ()) -> list[str]:
        assert name not in above, f"imports loop: {' -> '.join([*above, name])}"
        if name not in chains:
            longest = max((chain(other, (*above, name)) for other in arrows[name]), key=len, default=[])
            chains[name] = [name, *longest]
        return chains[name]

    return max(map(chain, known), key=len)


def test_few_modules_stand_beside_the_packages() -> None:
    loose = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert len(loose) <= MAX_LOOSE_MODULES, sorted(loose)


def test_no_package_has_more_files_than_one_takes_in() -> None:
    sizes = Counter(path.parent for path in SOURCE.rglob("*.py") if path.stem != "__init__")
    assert {str(folder.relative_to(SOURCE)): size for folder, size in sizes.items() if size > MAX_FILES} == {}


def test_import_chains_are_short_and_do_not_loop() -> None:
    chain = longest_chain()
    assert len(chain) <= MAX_CHAIN, " -> ".join(chain)


def test_no_public_type_has_the_name_of_another() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, path in modules().items():
        for node in ast.parse(path.read_text()).body:
            title = node.name if isinstance(node, ast.ClassDef) else ""
            if isinstance(node, ast.TypeAlias):
                title = node.name.id
            if title and not title.startswith("_"):
                places[title].append(name)
    assert {title: names for title, names in places.items() if len(names) > 1} == {}


def test_no_name_that_the_glossary_replaces_is_used() -> None:
    used: dict[str, set[str]] = defaultdict(set)
    for name, path in modules().items():
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME and REPLACED.fullmatch(token.string):
                used[name].add(token.string)
    assert dict(used) == {}
