"""Where two texts differ, character by character."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final

from mcp_optimizer.domain.models import Value

_MAX_COMPARED: Final = 200 * 200


class Piece(Value):
    """A run of characters that both texts have (``differs`` false) or that only this one has."""

    text: str
    differs: bool


type Pieces = tuple[Piece, ...]


def common_prefix(a: str, b: str) -> int:
    """How many characters ``a`` and ``b`` begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def mark_difference(running: str, catalog: str) -> tuple[Pieces, Pieces]:
    """``running`` and ``catalog`` in pieces, those that differ marked. Joined, the pieces give the texts again."""
    start = common_prefix(running, catalog)
    end = common_prefix(running[start:][::-1], catalog[start:][::-1])
    ours, theirs = _Pieces(), _Pieces()
    ours.add(running[:start], differs=False)
    theirs.add(catalog[:start], differs=False)
    middle = running[start : len(running) - end], catalog[start : len(catalog) - end]
    for operation, a, b, c, d in _operations(*middle):
        ours.add(middle[0][a:b], differs=operation != "equal")
        theirs.add(middle[1][c:d], differs=operation != "equal")
    ours.add(running[len(running) - end :], differs=False)
    theirs.add(catalog[len(catalog) - end :], differs=False)
    return ours.pieces, theirs.pieces


def _operations(running: str, catalog: str) -> Sequence[tuple[str, int, int, int, int]]:
    """What differs between the middles of two texts. Very long ones differ as a whole: the time grows as a power."""
    if len(running) * len(catalog) > _MAX_COMPARED:
        return [("replace", 0, len(running), 0, len(catalog))]
    return SequenceMatcher(None, running, catalog, autojunk=False).get_opcodes()


class _Pieces:
    """Collects runs: what continues the last run becomes part of it, what is empty is left out."""

    def __init__(self) -> None:
        self.pieces: Pieces = ()

    def add(self, text: str, *, differs: bool) -> None:
        """Append a run of characters."""
        if self.pieces and self.pieces[-1].differs == differs:
            text = self.pieces[-1].text + text
            self.pieces = self.pieces[:-1]
        if text:
            self.pieces = (*self.pieces, Piece(text=text, differs=differs))


def underline(pieces: Pieces, mark: str = "^") -> str:
    """A line of marks to put under the joined pieces, for output without colour."""
    return "".join((mark if piece.differs else " ") * len(piece.text) for piece in pieces).rstrip()
