"""The program's own themes: calm, few colours, each with a meaning. One of them is for 16 colours."""

from textual.theme import Theme

DARK = Theme(
    name="mcp-optimizer-dark",
    primary="#7aa2c8",
    secondary="#8f9bb3",
    accent="#6cc5d9",
    success="#8cc98f",
    warning="#e2b75c",
    error="#ee7b7b",
    foreground="#d5dae1",
    background="#12161c",
    surface="#12161c",
    panel="#1b212a",
    boost="#222a35",
    dark=True,
    variables={"input-selection-background": "#6cc5d9 30%", "border": "#3b4757", "scrollbar": "#2b3440"},
)
LIGHT = Theme(
    name="mcp-optimizer-light",
    primary="#2f5f8f",
    secondary="#5a6678",
    accent="#006f87",
    success="#2b7a37",
    warning="#8f5f00",
    error="#b3262d",
    foreground="#20262e",
    background="#fbfaf7",
    surface="#fbfaf7",
    panel="#efede7",
    boost="#e4e1d9",
    dark=False,
    variables={"input-selection-background": "#006f87 25%", "border": "#b9b4a8", "scrollbar": "#d6d2c7"},
)
SIXTEEN = Theme(
    name="mcp-optimizer-16",
    primary="#5c5cff",
    secondary="#c0c0c0",
    accent="#00ffff",
    success="#00ff00",
    warning="#ffff00",
    error="#ff5555",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    boost="#000080",
    dark=True,
    variables={
        "text-accent": "#00ffff",
        "text-success": "#00ff00",
        "text-warning": "#ffff00",
        "text-error": "#ff5555",
        "foreground-muted": "#c0c0c0",
        "input-selection-background": "#000080",
        "border": "#c0c0c0",
        "scrollbar": "#808080",
    },
)
"""For terminals of 16 colours, where the others would be grey: its colours are those that such a terminal has."""
THEMES = (DARK, LIGHT, SIXTEEN)


def first_theme(color_system: str | None) -> str:
    """The theme that suits a terminal (``rich.console.Console.color_system``) best when nobody has chosen one."""
    return (SIXTEEN if color_system in {"standard", "windows"} else DARK).name
