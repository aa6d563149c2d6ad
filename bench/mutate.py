"""``task mutate``: change the pure modules one operator at a time; the unit tests that mirror them must notice.

Works in a copy of the tree. A mutant's tests run in a fork of one warm process, so that a mutant costs its tests and
little more. Mutants that nothing can tell from the original stand in ``mutants_equivalent.txt``, each with its reason.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "src/mcp_optimizer"
PURE: Final = ("domain", "redaction", "text.py")
"""What is mutated, below the package."""
EQUIVALENT: Final = Path(__file__).with_name("mutants_equivalent.txt")
WARM: Final = ("hypothesis", "numpy", "orjson", "packaging.version", "pydantic", "pytest", "yaml")
"""Libraries that are imported once, before the forks."""

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str
    """Below the package: ``domain/loss.py``."""
    line: int
    change: str
    source: str

    @property
    def key(self) -> str:
        """What a known equivalent is named by: no line numbers, as they move."""
        return f"{self.module}: {self.change}"


def changed_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of an expression or a statement."""
    match node:
        case ast.Compare(ops=[operator]):
            changed = copy.deepcopy(node)
            changed.ops = [_COMPARISONS[type(operator)]()]
            yield changed
        case ast.BoolOp():
            changed = copy.deepcopy(node)
            changed.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            yield changed
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            changed = copy.deepcopy(node)
            changed.op = _ARITHMETIC[type(node.op)]()
            yield changed
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Assign() | ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break() | ast.Raise():
            yield ast.Pass()
        case _:
            return


def mutants_of(module: str, text: str) -> list[Mutant]:
    """Every mutant of a module. What is outside of functions and for readers only (docstrings, types) has none."""
    tree = ast.parse(text)
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            vars(child)["parent"] = parent
    mutants = []
    for place, node in enumerate(ast.walk(tree)):
        if not isinstance(node, ast.expr | ast.stmt) or not _counts(node):
            continue
        for changed in changed_nodes(node):
            whole = copy.deepcopy(tree)
            target = next(result for at, result in enumerate(ast.walk(whole)) if at == place)
            ast.copy_location(changed, target)
            _replace(_parent(target), target, changed)
            change = f"{_shown(node)} -> {_shown(changed)}  in {_function(node)}"
            mutants.append(Mutant(module, node.lineno, change, ast.unparse(ast.fix_missing_locations(whole))))
    return mutants


def _parent(node: ast.AST) -> ast.AST:
    return vars(node)["parent"]


def _counts(node: ast.AST) -> bool:
    """Whether it is in a function, or a number of a named constant; and in no annotation."""
    within_function = False
    while not isinstance(node, ast.Module):
        parent = _parent(node)
        if node in (getattr(parent, "annotation", None), getattr(parent, "returns", None)):
            return False
        if isinstance(parent, ast.Call) and ast.unparse(parent.func).endswith(("dataclass", "Field", "lru_cache")):
            return False
        within_function |= isinstance(parent, ast.FunctionDef | ast.Lambda)
        within_function |= isinstance(parent, ast.AnnAssign) and isinstance(node, ast.Constant)
        node = parent
    return within_function


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list) and any(item is old for item in value):
            value[:] = [new if item is old else item for item in value]


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def _function(node: ast.AST) -> str:
    names: list[str] = []
    while not isinstance(node, ast.Module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.insert(0, node.name)
        node = _parent(node)
    return ".".join(names) or "the module"


def tests_of(module: str, root: Path) -> list[str]:
    """The test files that mirror a module, the mirror first; then those that import it, by its name."""
    folder, _, name = module.removesuffix(".py").rpartition("/")
    unit = root / "tests/unit"
    mirror = unit / folder / f"test_{name}.py"
    dotted = f"mcp_optimizer.{module.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
    package = dotted if folder != "redaction" else "mcp_optimizer.redaction"
    others = [
        path
        for path in sorted(unit.rglob("test_*.py"))
        if path != mirror and f"from {package} import" in path.read_text(encoding="utf-8")
    ]
    top = module.partition("/")[0].removesuffix(".py")
    near = [path for path in others if str(path.relative_to(unit)).startswith(top)]
    return [str(path) for path in ([mirror] if mirror.exists() else []) + (near or others)]


def _pass(tests: Sequence[str]) -> int:
    """Run tests in this process, quietly; pytest's exit code."""
    import pytest  # noqa: PLC0415 - in the fork, after the path is set

    return int(pytest.main(["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-W", "default", *tests]))


def outcome(tests: Sequence[str], root: Path, limit: float) -> tuple[int | None, float]:
    """The exit code of tests in a fork, None when it took more than ``limit`` seconds; and the seconds."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        output = os.open(root / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.chdir(root)
        sys.path[:0] = [str(root / "src"), str(root)]
        try:
            code = _pass(tests)
        except BaseException:  # noqa: BLE001 - whatever a mutant does, it is noticed
            code = 1
        sys.stdout.flush()
        os._exit(code)
    while time.monotonic() - start < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), time.monotonic() - start
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, time.monotonic() - start


def known_equivalents() -> set[str]:
    """The keys of mutants that change nothing; the lines behind ``#`` give reasons."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def chosen_modules(asked: Sequence[str]) -> list[str]:
    """The pure modules, or those of them whose path contains one of the words asked for."""
    package = ROOT / PACKAGE
    paths = [
        path for part in PURE for path in ((package / part).rglob("*.py") if "." not in part else [package / part])
    ]
    names = sorted(str(path.relative_to(package)) for path in paths)
    return [name for name in names if not asked or any(word in name for word in asked)]


def run(modules: Sequence[str], sample: int, seed: int) -> tuple[int, list[Mutant]]:
    """Try the mutants; how many were killed, and those that survived."""
    equivalent, killed, survivors = known_equivalents(), 0, []
    for name in WARM:
        __import__(name)
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as result:
        root = Path(result)
        for part in ("src", "tests/unit", "tests/support", "docs", "migrations"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "tests/__init__.py"):
            shutil.copy(ROOT / file, root / file)
        for module in modules:
            path = root / PACKAGE / module
            text = path.read_text(encoding="utf-8")
            mutants = [mutant for mutant in mutants_of(module, text) if mutant.key not in equivalent]
            if sample:
                mutants = random.Random(seed).sample(mutants, min(sample, len(mutants)))
            tests = tests_of(module, root)
            code, seconds = outcome(tests, root, 300) if tests and mutants else (0, 0.0)
            if code != 0:
                sys.stdout.write((root / "output.txt").read_text(encoding="utf-8")[-3000:])
                raise SystemExit(f"the tests of {module} fail as it is (exit code {code}): mend them first")
            alive = []
            for mutant in sorted(mutants, key=lambda mutant: mutant.line):
                path.write_text(mutant.source, encoding="utf-8")
                if not tests or outcome(tests, root, 10 + 5 * seconds)[0] == 0:
                    alive.append(mutant)
                    sys.stdout.write(f"  survived {mutant.key}  (line {mutant.line})\n")
                    sys.stdout.flush()
            path.write_text(text, encoding="utf-8")
            killed += len(mutants) - len(alive)
            survivors += alive
            sys.stdout.write(f"{module}: {len(mutants) - len(alive)} of {len(mutants)} killed\n")
            sys.stdout.flush()
    return killed, survivors


def main() -> int:
    """Try the mutants of the modules asked for; 1 when fewer are killed than expected."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="WORD", help="modules whose path contains a word; all, if none")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each module, at random; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--expect", type=float, default=0.0, help="share of mutants that must be killed, 0 to 1")
    given = parser.parse_args()
    killed, survivors = run(chosen_modules(given.modules), given.sample, given.seed)
    every = killed + len(survivors)
    share = killed / every if every else 1.0
    sys.stdout.write(f"{killed} of {every} mutants killed ({share:.1%}), {len(survivors)} survived\n")
    return 0 if share >= given.expect else 1


if __name__ == "__main__":
    sys.exit(main())
