"""How figures are printed: each with its limit and its baseline, where it has them."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds of a block."""

    seconds: float = 0.0


@contextmanager
def measured() -> Generator[Stopwatch]:
    """Measure the block."""
    watch = Stopwatch()
    start = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - start


@dataclass
class Figures:
    """Prints figures as they come and remembers which missed their limit."""

    missed: list[str] = field(default_factory=list)

    def head(self, title: str) -> None:
        """A heading."""
        sys.stdout.write(f"\n{title}\n{'-' * len(title)}\n")

    def say(self, name: str, value: float, unit: str, *, most: float | None = None, least: float | None = None) -> None:
        """One figure, with the limit it is to keep."""
        limit, cached = "", True
        if most is not None:
            limit, cached = f"at most {most:g}", value <= most
        if least is not None:
            limit, cached = f"at least {least:g}", value >= least
        mark = "" if cached else "  MISSED"
        if not cached:
            self.missed.append(name)
        sys.stdout.write(f"{name:<62} {value:>10.3f} {unit:<8} {limit}{mark}\n")
        sys.stdout.flush()
