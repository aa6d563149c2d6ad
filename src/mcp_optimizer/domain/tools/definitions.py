"""Tool definitions that can't be taken at their word: changed since they were first seen, or with hidden characters.

A server that was looked at once and trusted may change what its tools say of themselves, and a model obeys what it
reads there. Nothing is refused here: what changed is said, until a person accepts it.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from mcp_optimizer.domain.models import StoredTool, Value
from mcp_optimizer.domain.tools.text import details_json

_IGNORED: Final = frozenset({"_meta"})
"""Members that say nothing to a model and may differ at every listing."""
_PARTS: Final = re.compile(r"\s+|\w+|[^\w\s]+")
_IGNORABLE: Final = (range(0x2065, 0x2066), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))
"""Code points that are drawn as nothing whether or not they are assigned (Unicode, Default_Ignorable_Code_Point)."""
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that are drawn as nothing."""
_HIDING: Final = frozenset({"Cf", "Zl", "Zp"})
"""Categories of characters that are formats or separators nobody types."""
_PLAIN_CONTROLS: Final = frozenset("\t\n\r")
_KEYCAPS: Final = frozenset("0123456789#*")
"""The only characters of ASCII that a variation selector makes an emoji of."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Between letters or within emoji they belong to the script."""
_VARIATIONS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
_MAX_CHANGES: Final = 16


class WordChange(Value):
    """Words of a text that went, and those that stand in their place. Either may be empty."""

    before: str
    after: str


class DefinitionChange(Value):
    """How a tool's definition differs from what was first seen, or accepted since."""

    tool: str
    fields: tuple[str, ...]
    """Members that differ: ``description``, ``inputSchema`` …"""
    words: tuple[WordChange, ...] = ()
    """What differs within the description."""
    accepted_hash: str = ""
    present_hash: str = ""

    @property
    def summary(self) -> str:
        """The fields in words."""
        return f"{', '.join(self.fields)} changed since first seen"


def definition(details: Mapping[str, Any]) -> dict[str, Any]:
    """What of a tool's details defines it: all but what is meant for programs."""
    return {key: member for key, member in details.items() if key not in _IGNORED}


def definition_hash(details: Mapping[str, Any]) -> str:
    """A hash over name, description, schemas, annotations …; the order of members does not matter."""
    return hashlib.sha256(details_json(definition(details))).hexdigest()


def definition_change(tool: str, accepted: Mapping[str, Any], present: Mapping[str, Any]) -> DefinitionChange | None:
    """How ``present`` differs from what was ``accepted``; None when it does not."""
    before, after = definition(accepted), definition(present)
    fields = sorted(
        name
        for name in {*before, *after}
        if details_json({"": before.get(name)}) != details_json({"": after.get(name)})
    )
    if not fields:
        return None
    return DefinitionChange(
        tool=tool,
        fields=tuple(fields),
        words=word_changes(str(before.get("description") or ""), str(after.get("description") or "")),
        accepted_hash=definition_hash(accepted),
        present_hash=definition_hash(present),
    )


def changes_of(tools: Sequence[StoredTool], accepted: Mapping[str, Mapping[str, Any]]) -> tuple[DefinitionChange, ...]:
    """The tools whose definition is not what was first seen of them."""
    pairs = (definition_change(tool.name, accepted[tool.name], tool.details) for tool in tools if tool.name in accepted)
    return tuple(item for item in pairs if item is not None)


def word_changes(before: str, after: str) -> tuple[WordChange, ...]:
    """The words in which two texts differ, in their order; at most sixteen places."""
    ours, theirs = _PARTS.findall(before), _PARTS.findall(after)
    if len(ours) * len(theirs) > 4_000_000:  # comparing takes the product of both
        return (WordChange(before=before[:400], after=after[:400]),)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    changes = [
        WordChange(before="".join(ours[a:b]).strip(), after="".join(theirs[c:d]).strip())
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]
    return tuple(changes[:_MAX_CHANGES])


def first_definitions(
    stored: Sequence[StoredTool], updated: Collection[StoredTool], removed: Collection[str]
) -> list[StoredTool]:
    """Of a workload's stored tools those whose definition is about to be lost: it changes, or the tool goes.

    They are what was first seen, unless an earlier one is kept already.
    """
    gone = set(removed)
    after = {tool.id: tool for tool in updated}
    return [
        tool
        for tool in stored
        if tool.id in gone
        or (tool.id in after and definition_hash(tool.details) != definition_hash(after[tool.id].details))
    ]


def invisible_in(details: Mapping[str, Any]) -> tuple[str, ...]:
    """The invisible characters in a tool's texts (names, titles, descriptions, those of parameters too).

    Each kind once, as ``U+200B ZERO WIDTH SPACE ×3``: zero width, bidirectional overrides, the tags block, soft
    hyphens and every other format character, control characters, and letters that are drawn as nothing.
    """
    plain = details_json(details)
    if plain.isascii() and b"\\u" not in plain and b"\\b" not in plain and b"\\f" not in plain:
        return ()
    counts: dict[str, int] = {}
    for text in _texts(definition(details)):
        for character in invisible_characters(text):
            counts[character] = counts.get(character, 0) + 1
    return tuple(f"{_named(character)} ×{number}" for character, number in sorted(counts.items()))


def invisible_characters(text: str) -> Iterator[str]:
    """Every character of ``text`` that takes no room and so may hide something."""
    if text.isascii() and text.isprintable():
        return
    for place, character in enumerate(text):
        if character in _JOINERS and _joins(text, place):
            continue
        if character in _VARIATIONS:
            if place and _carries(text[place - 1]):
                yield character
        elif _is_invisible(character):
            yield character


def _carries(before: str) -> bool:
    """Whether a variation selector behind this varies nothing: a run of them, or one a letter, carries bytes."""
    return _is_invisible(before) or (before.isascii() and before not in _KEYCAPS)


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cc":
        return character not in _PLAIN_CONTROLS
    hidden = category in _HIDING or character in _FILLERS or character in _VARIATIONS
    return hidden or any(ord(character) in ignorable for ignorable in _IGNORABLE)


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands between a letter or symbol beyond ASCII, and another, as scripts and emoji need it."""
    around = (text[place - 1] if place else "", text[place + 1] if place + 1 < len(text) else "")
    return all(side and not side.isascii() and (side in _VARIATIONS or not _is_invisible(side)) for side in around)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'unnamed')}"


def _texts(value: object) -> Iterable[str]:
    """Every text in a JSON value, keys of objects too. Deep ones have been cut by whoever stored them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item


def suspicion(problems: Sequence[str]) -> str:
    """How many tools of a workload changed, and how many hold hidden characters, in words."""
    changed, hidden = problems.count("changed"), problems.count("invisible")
    parts = [
        f"{number} tool{'' if number == 1 else 's'} {text}"
        for number, text in ((changed, "changed since first seen"), (hidden, "with invisible characters"))
        if number
    ]
    return ", ".join(parts)


def found_json(found: Sequence[str]) -> str:
    """Invisible characters as they are stored."""
    return json.dumps(list(found), ensure_ascii=True)
