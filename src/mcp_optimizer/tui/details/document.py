"""A document of styled lines for a width: headings, fields with hanging indents, paragraphs, marked differences."""

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len
from textual.content import Content

from mcp_optimizer.domain.difference import Pieces, mark_difference
from mcp_optimizer.domain.views import ToolView
from mcp_optimizer.text import lines as lines_of
from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.tone import STYLES, Tone

type Lines = tuple[Content, ...]
"""A document as it is shown: line by line."""

_LABEL = 14
"""Cells of a field's label with the space after it."""


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in printable lines of at most ``width`` cells; words longer than that are broken."""
    return [
        part
        for line in lines_of(text)
        for part in (textwrap.wrap(line, max(width, 8), break_on_hyphens=False, drop_whitespace=True) or [""])
    ]


class Document:
    """Lines, one after the other. Everything that is put in is sanitised here."""

    def __init__(self, width: int) -> None:
        self.width = max(width, 24)
        self._lines: list[Content] = []

    @property
    def lines(self) -> Lines:
        """All of it."""
        return tuple(self._lines)

    def add(self, *parts: tuple[str, Tone]) -> None:
        """One line of parts, not wrapped."""
        self._lines.append(Content.assemble(*((one_line(text), STYLES[tone]) for text, tone in parts)))

    def blank(self) -> None:
        """An empty line, unless there is one already."""
        if self._lines and self._lines[-1].plain:
            self._lines.append(Content(""))

    def title(self, text: str, *after: tuple[str, Tone]) -> None:
        """The name of what this is about, and its state behind it."""
        room = self.width - sum(cell_len(part) + 2 for part, _ in after)
        parts = [(shorten(one_line(text), max(room, 12)), Tone.STRONG)]
        for part, tone in after:
            parts.append((f"  {part}", tone))
        self.add(*parts)

    def heading(self, text: str, aside: str = "") -> None:
        """The head of a section."""
        self.blank()
        beside = cell_len(text) + 2 + cell_len(aside) <= self.width
        self.add((text, Tone.ACCENT), (f"  {aside}" if aside and beside else "", Tone.MUTED))
        if aside and not beside:
            self.paragraph(aside, Tone.MUTED)

    def paragraph(self, text: str, tone: Tone = Tone.PLAIN, indent: int = 0) -> None:
        """Running text."""
        for part in wrapped(text, self.width - indent):
            self.add((" " * indent + part, tone))

    def field(self, label: str, value: str, tone: Tone = Tone.PLAIN) -> None:
        """A label and its value; left out when there is no value."""
        if not value:
            return
        for place, part in enumerate(wrapped(value, self.width - _LABEL)):
            head = label if place == 0 else ""
            self.add((head.ljust(_LABEL), Tone.MUTED), (part, tone))

    def item(self, mark: str, text: str) -> None:
        """A line of a list: a mark or a key, and words that hang behind it."""
        for place, part in enumerate(wrapped(text, self.width - 3)):
            self.add(((mark if place == 0 else "").ljust(3), Tone.ACCENT), (part, Tone.PLAIN))

    def difference(self, running: str, catalog: str, indent: int = 2) -> None:
        """Two identities over each other; where they differ they are styled, and marked underneath."""
        for label, pieces in zip(
            ("runs", "catalog"), mark_difference(one_line(running), one_line(catalog)), strict=True
        ):
            self._marked(label, pieces, indent)

    def _marked(self, label: str, pieces: Pieces, indent: int) -> None:
        room = max(self.width - indent - 9, 12)
        marked = [(character, piece.differs) for piece in pieces for character in piece.text]
        text = "".join(character for character, _ in marked)
        for start, end in _breaks(text, room):
            chunk = marked[start:end]
            head = " " * indent + (label if start == 0 else "").ljust(9)
            parts: list[tuple[str, str]] = [(head, STYLES[Tone.MUTED])]
            parts += [
                (character, f"{STYLES[Tone.WARN]} bold underline" if differs else "") for character, differs in chunk
            ]
            self._lines.append(Content.assemble(*parts))
            marks = "".join("^" if differs else " " for _, differs in chunk).rstrip()
            if marks:
                self.add((" " * len(head) + marks, Tone.WARN))

    def tools(self, tools: Iterable[ToolView], *, marks: Mapping[str, str] | None = None) -> None:
        """Tools with tokens, description and the parameters they take."""
        listed = list(tools)
        tokens = sum(tool.tokens for tool in listed)
        self.heading("TOOLS", f"{count(len(listed))}, {count(tokens)} tokens")
        if not listed:
            self.add(("none known", Tone.MUTED))
        for tool in listed:
            mark = (marks or {}).get(tool.name, "")
            self.add(
                (tool.name, Tone.STRONG),
                (f"  {mark}" if mark else "", Tone.WARN),
                (f"  {count(tool.tokens)} tokens", Tone.MUTED),
                ("" if tool.embedded else "  not embedded", Tone.WARN),
            )
            if tool.description:
                self.paragraph(shorten(tool.description.strip(), 400), indent=2)
            parameters = parameter_words(tool.details)
            if parameters:
                self.paragraph(parameters, Tone.MUTED, indent=2)

    def json(self, value: object) -> None:
        """A JSON value, indented."""
        for part in json.dumps(value, indent=2, ensure_ascii=False, default=str).splitlines():
            indent = len(part) - len(part.lstrip())
            self.paragraph(part.lstrip(), indent=indent)


def _breaks(text: str, room: int) -> Iterator[tuple[int, int]]:
    """Where an identity is broken into lines: after a slash, colon or at sign, where there is one."""
    start = 0
    while len(text) - start > room:
        end = max(text.rfind(sign, start, start + room) for sign in "/:@?") + 1
        end = end if end > start + room // 3 else start + room
        yield start, end
        start = end
    yield start, len(text)


def parameter_words(details: Mapping[str, Any]) -> str:
    """The parameters of a tool in one line, ``owner*: string, limit: integer``; required ones are starred."""
    schema = details.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict):
        return ""
    required = schema.get("required")
    starred = {str(name) for name in required} if isinstance(required, list) else set()
    return ", ".join(f"{name}{'*' if name in starred else ''}: {_type_word(kind)}" for name, kind in properties.items())


def _type_word(kind: object) -> str:
    if not isinstance(kind, dict):
        return "any"
    word = kind.get("type", "any")
    return "|".join(map(str, word)) if isinstance(word, list) else str(word)
