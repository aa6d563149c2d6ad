"""What a piece of text means, apart from how a theme paints it."""

from enum import StrEnum


class Tone(StrEnum):
    """The meaning of a text. Every tone goes with a word or a mark, so that none is told by colour alone."""

    PLAIN = "plain"
    MUTED = "muted"
    STRONG = "strong"
    ACCENT = "accent"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


STYLES: dict[Tone, str] = {
    Tone.PLAIN: "",
    Tone.MUTED: "$foreground-muted",
    Tone.STRONG: "bold",
    Tone.ACCENT: "$text-accent",
    Tone.GOOD: "$text-success",
    Tone.WARN: "$text-warning",
    Tone.BAD: "$text-error bold",
}
"""Each tone as a style of Textual, resolved by the theme in use when it is painted."""
