"""Identities as catalogs spell them, and words for what is none: packages, variables. Pure."""

import re
from typing import Final

from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.models import Identity, ItemProblem, Kind
from mcp_optimizer.sources.json_values import label_of, reason_of

_IMAGE_SCHEME: Final = re.compile(r"(?:docker|oci|docker-image|https?)://(?!hub\.docker\.com/)", re.IGNORECASE)
"""Schemes that clients put before an image reference, and which are no part of it."""
_PACKAGE_SCHEME: Final = re.compile(
    r"(?:uvx|uv|npx|npm|pypi|pip|pipx|go|cargo|nuget|dnx|bunx|deno|mcpb|dxt)://|pkg:", re.IGNORECASE
)
_VARIABLE: Final = re.compile(
    r"\$\{\{?([^{}]{0,80})\}?\}|\{\{([^{}]{0,80})\}\}|\{([^{}]{0,80})\}|<([^<>]{1,80})>"
    r"|\$([A-Z_][A-Z0-9_]{0,79})|%(?![0-9A-Fa-f]{2})([A-Za-z_]\w{0,79})%"
)
"""``${X}``, ``${{x}}``, ``{{x}}``, ``{x}``, ``<x>``, ``$X`` and ``%X%``, as shells, clients and people write them."""
_MAX_NAMED: Final = 5


def plain_image(text: str) -> str:
    """An image reference without the scheme that some clients put before it."""
    match = _IMAGE_SCHEME.match(text)
    return text[match.end() :] if match else text


def identity_or_problem(name: str, kind: Kind, raw: str) -> Identity | ItemProblem:
    """The identity that ``raw`` spells, or why it spells none."""
    identity, reason = identity_or_reason(kind, plain_image(raw) if kind is Kind.CONTAINER else raw)
    return ItemProblem(name=name, reason=reason or "", kind=kind) if identity is None else identity


def identity_or_reason(kind: Kind, raw: str) -> tuple[Identity | None, str | None]:
    """The identity that ``raw`` spells; or None and why it spells none."""
    reason = why_unusable(kind, raw)
    if reason is not None:
        return None, reason
    try:
        return identity_of(kind, raw), None
    except IdentityError as error:
        return None, reason_of(error)


def why_unusable(kind: Kind, raw: str) -> str | None:
    """Why ``raw`` is no URL or image, where it is something else that has a name; None where it may be one."""
    what = "a URL" if kind is Kind.REMOTE else "an image"
    if _PACKAGE_SCHEME.match(raw):
        return f"a package, not {what}"
    names = variables_of(raw)
    if names:
        return f"{what} with variables: {', '.join(names[:_MAX_NAMED])}" + (" …" if len(names) > _MAX_NAMED else "")
    return None


def variables_of(raw: str) -> list[str]:
    """The names of the variables in ``raw``, each once."""
    texts = (next(text.strip() for text in match.groups() if text is not None) for match in _VARIABLE.finditer(raw))
    names = (re.split(r":[-=?+]", text.removeprefix("input:"), maxsplit=1)[0] for text in texts)
    return list(dict.fromkeys(label_of(name) or "?" for name in names))
