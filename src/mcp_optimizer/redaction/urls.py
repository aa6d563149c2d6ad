"""Credentials in a URL: userinfo, fields of the query, segments of the path. Found once, for eyes and for identity."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, unquote_plus

from mcp_optimizer.redaction.credentials import (
    MASK,
    SEALED,
    TOKEN,
    Suspicion,
    is_placeholder,
    is_sealed,
    is_token,
    is_varied,
    looks_random,
    suspicion,
)

type Replace = Callable[[str], str]

_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.-]{0,30}:"
_PORT: Final = r"[0-9]*(?:[/?#\s]|$)"
USERINFO: Final = rf"(?:[^/?#{{stop}}]*@|[^/?#:@\[{{stop}}]*:(?!{_PORT})[^@{{stop}}]*@)"
"""As far as the last ``@`` before the path; or, where what seems a port is none, the next ``@``: a raw password."""
_AUTHORITY: Final = re.compile(rf"^({_SCHEME})?//({USERINFO.format(stop='')})")
_INNER_AUTHORITY: Final = re.compile(rf"//(?!{SEALED}@)[^/?#]{{0,4096}}@")
_BARE_USERINFO: Final = re.compile(r"^[^/?#]*@")
_WELL_FORMED: Final = re.compile(rf"^(?:{_SCHEME})?//")
_BROKEN_USERINFO: Final = re.compile(rf"^((?:{_SCHEME}|[A-Za-z][A-Za-z0-9+.-]{{0,30}}(?=[/\\]))?[/\\]*)[^@/\\]*:[^@]*@")
"""Of what means to be a URL and is none: ``postgresql:/me:pw@host/db``, ``postgres//me:pw@host``."""
_BROKEN_NAME: Final = re.compile(rf"^((?:{_SCHEME}|[A-Za-z][A-Za-z0-9+.-]{{0,30}}(?=//))[/\\]*)[^@/\\]*@")
_DIGEST: Final = re.compile(r"@sha(?:256|512):[0-9a-f]{16,}")
_VERSIONED: Final = re.compile(r"^(?:npx|uvx|go|npm|pypi|pkg|docker|oci)://[^@]*@[\w.^~*-]+(?:/|$)", re.IGNORECASE)
"""A package with its version, which only looks like a user at a host."""
_NESTED: Final = re.compile(rf"{_SCHEME}//|[?&;][^=&;]+=")
_SCHEMED: Final = re.compile(r"(?:bearer|basic)\s+\S{6,}", re.IGNORECASE)


def redact_url(url: str) -> str:
    """``url`` without userinfo and fragment, and with a mask for every credential. Works on any text, broken URLs too.

    Meant for a text that is a URL as a whole; URLs within a text are found by :func:`..texts.redact_text`.
    """
    if not _VERSIONED.match(url):
        url = _without_userinfo(url)
    address, mark, query = url.partition("#")[0].partition("?")
    return _map_path(address, _mask) + mark + _map_query(query, _mask)


def replace_credentials(url: str, replace: Replace) -> str:
    """A well-formed ``url`` with every credential in it replaced; else not a character is changed."""
    authority = _AUTHORITY.match(url)
    if authority is not None:
        start, end = authority.start(2), authority.end(2) - 1
        user = url[start:end]
        url = f"{url[:start]}{user if is_placeholder(unquote(user)) else replace(user)}{url[end:]}"
    rest, fragment_mark, fragment = url.partition("#")
    address, mark, query = rest.partition("?")
    return _map_path(address, replace) + mark + _map_query(query, replace) + fragment_mark + fragment


def has_credential(url: str) -> bool:
    """Whether a well-formed ``url`` holds a credential, a replaced one not counted."""
    results: list[str] = []

    def note(value: str) -> str:
        results.append(value)
        return value

    replace_credentials(url, note)
    return bool(results)


def _mask(_: str) -> str:
    return MASK


def _without_userinfo(url: str) -> str:
    if _DIGEST.search(url) and not _WELL_FORMED.match(url):
        return url
    shorter = _AUTHORITY.sub(lambda found: found[0] if is_sealed(found[2][:-1]) else f"{found[1] or ''}//", url)
    if not _WELL_FORMED.match(shorter):
        for pattern in (_BROKEN_USERINFO, _BROKEN_NAME):
            shorter = pattern.sub(lambda found: found[1], shorter)
        shorter = _BARE_USERINFO.sub("", shorter)
    elif shorter.startswith(("//", ":")) or ":///" in shorter[:40]:
        shorter = re.sub(rf"^((?:{_SCHEME})?//+)[^@/]*:[^@/]*@", lambda found: found[1], shorter)
    head, mark, query = shorter.partition("?")
    return _INNER_AUTHORITY.sub("//", head) + mark + query


def _map_path(address: str, replace: Replace) -> str:
    """The path's segments that are tokens, or that follow a segment which names one and look like one."""
    authority_end = address.find("/", address.find("//") + 2) if "//" in address else address.find("/")
    if authority_end < 0:
        return address
    segments = address[authority_end + 1 :].split("/")
    mapped = list(segments)
    for place, segment in enumerate(segments):
        before = segments[place - 1] if place else ""
        if _is_token_segment(unquote(segment), unquote(before)):
            mapped[place] = replace(segment)
    return address[: authority_end + 1] + "/".join(mapped)


def _is_token_segment(segment: str, before: str) -> bool:
    if len(segment) < 8 or is_placeholder(segment):
        return False
    if is_token(segment) or (segment.startswith("bot") and is_token(segment[3:])):
        return True
    if suspicion(before) >= Suspicion.CREDENTIAL or before == "s":  # /s/ begins secret links of several makers
        return looks_random(segment)
    name, equals, value = segment.partition("=")
    return bool(equals) and is_credential(name, value)


def _map_query(query: str, replace: Replace) -> str:
    return "&".join(_map_field(field, replace) for field in query.split("&")) if query else query


def _map_field(field: str, replace: Replace) -> str:
    name, equals, value = field.partition("=")
    if not equals:
        return replace(field) if is_token(unquote_plus(field)) and not is_placeholder(field) else field
    return f"{name}={replace(value)}" if is_credential(unquote_plus(name), unquote_plus(value)) else field


def is_credential(name: str, value: str) -> bool:
    """Whether ``value``, called ``name``, is a credential or holds one, as a URL within a query may."""
    if is_placeholder(value):
        return False
    level = suspicion(name)
    if level is Suspicion.CREDENTIAL or (level is Suspicion.AMBIGUOUS and _looks_secret(value)):
        return True
    token = TOKEN.search(value)
    if token is not None and is_varied(token[0]):
        return True
    return _NESTED.search(value) is not None and _nested_credential(value)


def _looks_secret(value: str) -> bool:
    return looks_random(value) or _SCHEMED.fullmatch(value) is not None


def _nested_credential(value: str) -> bool:
    """Whether a URL within a value has userinfo, or a field that is a credential."""
    if _INNER_AUTHORITY.search(value):
        return True
    _, _, query = value.partition("?")
    return any(
        is_credential(name, inner)
        for name, equals, inner in (field.partition("=") for field in re.split(r"[&?;]", query or value))
        if equals and len(inner) < len(value)
    )
