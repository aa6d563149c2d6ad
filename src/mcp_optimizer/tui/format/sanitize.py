"""The way of every text from outside onto the screen: sanitised, and never read as markup."""

from collections.abc import Iterable
from traceback import extract_tb

from textual.content import Content

from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import one_line, printable, redact_message
from mcp_optimizer.tui.format.tone import STYLES, Tone


def line(text: str, tone: Tone = Tone.PLAIN) -> Content:
    """``text`` as one printable line."""
    return Content.styled(one_line(text), STYLES[tone])


def paragraph(text: str, tone: Tone = Tone.PLAIN) -> Content:
    """``text`` with its line ends kept."""
    return Content.styled(printable(text), STYLES[tone])


def joined(parts: Iterable[Content], separator: str = "") -> Content:
    """``parts`` side by side."""
    return Content(separator).join(parts)


def error_words(error: BaseException | None) -> tuple[str, str]:
    """What went wrong and what to do about it, each as one line. The second may be empty."""
    if isinstance(error, OptimizerError):
        return redact_message(error.message), redact_message(error.remedy or "")
    if error is None:
        return "unknown error", ""
    return redact_message(f"{type(error).__name__}: {error}".rstrip(": ")), ""


def error_line(error: BaseException | None) -> str:
    """The same in one line."""
    return " – ".join(words for words in error_words(error) if words)


def origin(error: BaseException) -> dict[str, str]:
    """An error for the log, with the places in the code that it came through, the innermost first."""
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)
    ]
    return {"error": error_line(error), "at": " < ".join(reversed(places[-6:]))}
