"""``task bench``: every figure, each beside its limit and a baseline of the same run."""

import subprocess
import sys

from bench import embedding, engines, scale, search_speed, serve, tui
from bench.report import Figures
from bench.search_quality import run as search_quality


def main() -> int:
    """Run all, or those that are named; 1 when a limit was missed."""
    parts = {
        "embedding": embedding.run,
        "engines": engines.run,
        "scale": scale.run,
        "search_quality": search_quality.run,
        "search_speed": search_speed.run,
        "serve": serve.run,
        "tui": tui.run,
    }
    names = sys.argv[1:] or list(parts)
    if len(names) > 1:  # each in a process of its own: memory of one is no figure of another's
        return max(subprocess.run([sys.executable, "-m", "bench", name], check=False).returncode for name in names)
    figures = Figures()
    parts[names[0]](figures)
    if figures.missed:
        sys.stdout.write(f"\nmissed: {', '.join(figures.missed)}\n")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
