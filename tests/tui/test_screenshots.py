"""The pictures of the README are what the program shows."""

import difflib
import re

from bench.screenshots import AREAS, DIRECTORY, pictures


def _texts(svg: str) -> list[str]:
    """What a picture says, line by line."""
    lines: dict[str, str] = {}
    for line, text in re.findall(r'clip-path="url\(#[\w-]*-line-(\d+)\)">([^<]*)<', svg):
        lines[line] = lines.get(line, "") + text.replace("&#160;", " ")
    return list(lines.values())


async def test_the_pictures_are_current() -> None:
    """Byte by byte; ``task screenshots`` makes them again."""
    shown = await pictures()
    kept = {path.stem: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.svg")}
    assert set(kept) == set(shown) == set(AREAS)
    for name, svg in shown.items():
        differences = "\n".join(difflib.unified_diff(_texts(kept[name]), _texts(svg), "kept", "shown", lineterm=""))
        assert kept[name] == svg, f"{name}: run `task screenshots`\n{differences}"
