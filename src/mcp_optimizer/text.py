"""The one place where text from outside is made safe to show, log or store.

Names, descriptions and error messages come from catalogs, MCP servers and other programs. A terminal obeys control
characters, a right-to-left override reorders a line, a lone surrogate can't be encoded: none of them passes here.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote_plus

_SURROGATES = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,30}:"
_USERINFO = r"(?:[^/?#{stop}]{{0,4096}}@|[^/?#:@\[{stop}]{{0,4096}}:(?![0-9]*(?:[/?#\s]|$))[^@{stop}]{{0,4096}}@)"
"""As far as the last ``@`` before the path; or, where what seems a port is none, the next ``@``: a raw password."""
_AUTHORITY = re.compile(rf"^({_SCHEME})?//{_USERINFO.format(stop='')}")
_INNER_AUTHORITY = re.compile(r"//[^/?#]{0,4096}@")
_BARE_USERINFO = re.compile(r"^[^/?#]*@")
_URL = re.compile(rf"{_SCHEME}//{_USERINFO.format(stop=r'\s')}?[^\s\"'<>]*")
_KEY_LIKE = r"(?:key|token|secret|passw|passphrase|pwd|sig|auth|credential|bearer|jwt|session|cookie)"
_SECRET_NAME = re.compile(_KEY_LIKE, re.IGNORECASE)
_SECRET_WITHIN = re.compile(rf"//[^/?#]{{0,4096}}@|{_KEY_LIKE}[^=&]{{0,64}}=", re.IGNORECASE)


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


def storable(text: str) -> str:
    """``text`` that any store and encoder accepts: lone surrogates become U+FFFD, NUL is dropped. The rest is kept."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text).replace("\0", "")


def storable_json[T](value: T) -> T:
    """``value`` (anything ``json.loads`` gives) with every string in it, keys too, made :func:`storable`."""
    if isinstance(value, str):
        return storable(value)  # ty: ignore[invalid-explicit-return]
    if isinstance(value, dict):
        return {storable(str(k)): storable_json(v) for k, v in value.items()}  # ty: ignore[invalid-explicit-return]
    if isinstance(value, list):
        return [storable_json(v) for v in value]  # ty: ignore[invalid-explicit-return]
    return value


def shorten(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters, an ellipsis last when something was cut."""
    return text if len(text) <= length else (text[: max(length - 1, 0)] + "…")[: max(length, 0)]


def public_url(url: str) -> str:
    """``url`` without what may be secret: userinfo, fragment, and the values of key-like query fields (S7).

    Works on any text, also where a URL can't be parsed: what looks like a secret is cut rather than shown.
    """
    return _settled(_public_url, one_line(url))


def masked_query(url: str) -> str:
    """``url`` with the values of key-like query fields cut, and all else as it is: fit to be stored (S7)."""
    address, mark, query = url.partition("?")
    return address + mark + "&".join(map(_public_field, query.split("&")))


def public_message(message: str) -> str:
    """An error message as one printable line, with every URL in it as :func:`public_url` gives it."""
    return _settled(lambda text: _URL.sub(lambda found: public_url(found[0]), text), one_line(message))


def _settled(cut: Callable[[str], str], text: str) -> str:
    """``text`` cut until nothing is left to cut, as a cut may bring two parts together."""
    while (shorter := cut(text)) != text:
        text = shorter
    return text


def _public_url(url: str) -> str:
    url = _BARE_USERINFO.sub("", _AUTHORITY.sub(lambda found: f"{found[1] or ''}//", url))
    address, mark, query = url.partition("#")[0].partition("?")
    return _INNER_AUTHORITY.sub("//", address) + mark + "&".join(map(_public_field, query.split("&")))


def _public_field(field: str) -> str:
    """A field of a query; its value is cut when its name, or a URL within the value, says that it is secret."""
    name, _, value = field.partition("=")
    secret = _SECRET_NAME.search(unquote_plus(name)) or _SECRET_WITHIN.search(unquote_plus(value))
    return f"{name}=…" if value and secret else field
