"""The one place where text from outside is made safe to show, log or store.

Names, descriptions and error messages come from catalogs, MCP servers and other programs. A terminal obeys control
characters, a right-to-left override reorders a line, a lone surrogate can't be encoded: none of them passes here.
"""

import re
from collections.abc import Callable

from mcp_optimizer import redaction

_SURROGATES = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def one_line(text: str) -> str:
    """``text`` as one printable line: every character that is not printable becomes a space.

    ``str.isprintable`` is false for control characters, escapes, bidirectional overrides, zero-width marks, private
    use and surrogates, so a terminal gets characters that only take up room. The length stays the same.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def lines(text: str) -> list[str]:
    """``text`` split at line ends, each line as :func:`one_line` gives it."""
    return [one_line(line) for line in text.splitlines()] or [""]


def printable(text: str) -> str:
    """``text`` with its line ends kept, all as newlines, and everything else that is not printable made a space."""
    return "\n".join(map(one_line, _LINE_END.split(text)))


def to_storable(text: str) -> str:
    """``text`` that any store and encoder accepts: lone surrogates become U+FFFD, NUL is dropped. The rest is kept."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text).replace("\0", "")


def to_storable_json[T](value: T) -> T:
    """``value`` (anything ``json.loads`` gives) with every string in it, keys too, made :func:`to_storable`."""
    if isinstance(value, str):
        return to_storable(value)  # ty: ignore[invalid-explicit-return]
    if isinstance(value, dict):
        return {to_storable(str(k)): to_storable_json(v) for k, v in value.items()}  # ty: ignore[invalid-explicit-return]
    if isinstance(value, list):
        return [to_storable_json(v) for v in value]  # ty: ignore[invalid-explicit-return]
    return value


def shorten(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters, an ellipsis last when something was cut."""
    return text if len(text) <= length else (text[: max(length - 1, 0)] + "…")[: max(length, 0)]


def redact_url(url: str) -> str:
    """A text that is a URL, as one printable line without what may be secret: userinfo, fragment, credentials (S7).

    Works on any text, also where a URL can't be parsed: what looks like a secret is cut rather than shown.
    """
    return _settled(lambda text: redaction.redact_text(redaction.redact_url(text)), one_line(url))


def redact_message(message: str) -> str:
    """A text from outside as one printable line, without what may be secret (S7)."""
    return _settled(redaction.redact_text, one_line(message))


def _settled(cut: Callable[[str], str], text: str) -> str:
    """``text`` cut until nothing is left to cut, as a cut may bring two parts together."""
    while (shorter := cut(text)) != text:
        text = shorter
    return text
