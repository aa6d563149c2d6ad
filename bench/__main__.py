"""``task bench``: every figure, each beside its limit and a baseline of the same run."""

import sys

from bench import embedding, scale, search_speed, tui
from bench.report import Figures
from bench.search_quality import run as search_quality


def main() -> int:
    """Run all, or those that are named; 1 when a limit was missed."""
    parts = {
        "embedding": embedding.run,
        "scale": scale.run,
        "search_quality": search_quality.run,
        "search_speed": search_speed.run,
        "tui": tui.run,
    }
    figures = Figures()
    for name in sys.argv[1:] or parts:
        parts[name](figures)
    if figures.missed:
        sys.stdout.write(f"\nmissed: {', '.join(figures.missed)}\n")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
