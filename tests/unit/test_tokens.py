"""Counting tokens: without a network, and without a file of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from mcp_optimizer.tokens import count_text_tokens, count_tokens


def test_tokens_are_those_of_a_tools_json() -> None:
    assert count_text_tokens("Tells the weather.") == 5
    assert count_tokens({"name": "é"}) == count_text_tokens('{"name": "é"}')


@pytest.mark.parametrize("cache", [None, "cache"])
def test_nothing_is_written_anywhere_not_even_where_there_is_room_for_temporary_files(
    cache: str | None, tmp_path: Path
) -> None:
    """A container's file system may be read-only, and a directory that all may write to is none of ours."""
    environment = {"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    if cache is not None:
        environment["TIKTOKEN_CACHE_DIR"] = str(tmp_path / cache)
    code = "from mcp_optimizer.tokens import count_text_tokens as count; print(count('Tells the weather.'))"
    counted = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert counted.stdout == b"5\n"
    assert list(tmp_path.iterdir()) == []
