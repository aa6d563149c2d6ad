"""``task bench``: every figure, each beside its limit and a baseline of the same run."""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from bench import embedding, engines, scale, search_speed, serve, tui
from bench.report import Figures
from bench.search_quality import public
from bench.search_quality import run as search_quality


def main() -> int:
    """Run all, or those that are named; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--sets", type=Path, default=public.FOLDER, help="folder of public retrieval sets")
    parser.add_argument("--learned", action="store_true", help="of search_quality: only what learning from use gains")
    given = parser.parse_args()
    parts = {
        "embedding": embedding.run,
        "engines": engines.run,
        "scale": scale.run,
        "search_quality": partial(search_quality.run, folder=given.sets, learned=given.learned),
        "search_speed": search_speed.run,
        "serve": serve.run,
        "tui": tui.run,
    }
    names = given.parts or list(parts)
    if unknown := sorted(set(names) - set(parts)):
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(parts)}")
    if len(names) > 1:  # each in a process of its own: memory of one is no figure of another's
        return max(
            subprocess.run([sys.executable, "-m", "bench", name, "--sets", str(given.sets)], check=False).returncode
            for name in names
        )
    figures = Figures()
    parts[names[0]](figures)
    if figures.missed:
        sys.stdout.write(f"\nmissed: {', '.join(figures.missed)}\n")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
