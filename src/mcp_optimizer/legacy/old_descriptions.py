"""Descriptions as the program's predecessor stored them, taken apart: ``Server: … | Description: … | Tags: …``."""

from typing import Final

from mcp_optimizer.domain.models import Value

_SEPARATOR: Final = " | "
_SERVER: Final = "Server: "
_DESCRIPTION: Final = "Description: "
_TAGS: Final = "Tags: "
_PLACEHOLDERS: Final = frozenset({"Autonomous embedding from tool mean pooling"})
"""What the predecessor stored where there was nothing to say."""


class OldDescription(Value):
    """The parts of a stored description. ``server`` is None where the text was not of the predecessor's making."""

    server: str | None
    description: str = ""
    tags: tuple[str, ...] = ()


def compose(name: str, description: str, tags: tuple[str, ...]) -> str:
    """A description as the predecessor stored it: parts that are empty are left out, tags separated by commas."""
    parts = [_SERVER + name]
    if description:
        parts.append(_DESCRIPTION + description)
    if tags:
        parts.append(_TAGS + ", ".join(tags))
    return _SEPARATOR.join(parts)


def take_apart(stored: str, names: tuple[str, ...] = ()) -> OldDescription:
    """The parts of ``stored``. ``names``: what the server may be called, as a name may hold a separator itself.

    A text of another making is a description as it stands, a placeholder none. Where a description holds what looks
    like tags, the last such part are the tags: the predecessor wrote them last.
    """
    text = stored.strip()
    if text in _PLACEHOLDERS:
        return OldDescription(server=None)
    if not text.startswith(_SERVER.strip()):
        return OldDescription(server=None, description=text)
    name, rest = _name_and_rest(stored.lstrip().removeprefix(_SERVER), names)
    description, tags = "", ()
    if rest.startswith(_TAGS):
        tags = _split_tags(rest.removeprefix(_TAGS))
    elif rest:
        body = rest.removeprefix(_DESCRIPTION)
        description, result, last = body.rpartition(_SEPARATOR + _TAGS)
        description, tags = (description, _split_tags(last)) if result else (body, ())
    return OldDescription(server=name, description=description.strip(), tags=tags)


def _name_and_rest(text: str, names: tuple[str, ...]) -> tuple[str, str]:
    for name in sorted(names, key=len, reverse=True):
        for part in (_DESCRIPTION, _TAGS):
            if text.startswith(name + _SEPARATOR + part):
                return name, text.removeprefix(name + _SEPARATOR)
        if text.strip() == name.strip():
            return name, ""
    ends = [place for part in (_DESCRIPTION, _TAGS) if (place := text.find(_SEPARATOR + part)) >= 0]
    if not ends:
        return text.strip(), ""
    return text[: min(ends)].strip(), text[min(ends) + len(_SEPARATOR) :]


def _split_tags(text: str) -> tuple[str, ...]:
    """Tags each once, in their order."""
    return tuple(dict.fromkeys(tag for part in text.split(", ") if (tag := part.strip())))
