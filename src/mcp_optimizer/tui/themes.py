"""The program's own themes: calm, few colours, each with a meaning. Readable with 256 and 16 colours too."""

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
THEMES = (DARK, LIGHT)
