"""The app's themes: one accent, green, amber and red for state alone, two greys for all else.

`pilot-terminal` and `pilot-terminal-light` have no colours of their own: they use the terminal's 16.
"""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

_DARK = Theme(
    name="pilot-dark",
    primary="#6cb2e0",
    secondary="#6cb2e0",
    accent="#6cb2e0",
    success="#86c07a",
    warning="#e3b04f",
    error="#ee6d6d",
    foreground="#d5dae1",
    background="#11151b",
    surface="#171c24",
    panel="#1e2530",
    dark=True,
    variables={
        "border": "#6cb2e0",
        "border-blurred": "#2c3542",
        "block-cursor-background": "#24313f",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "scrollbar": "#2c3542",
        "scrollbar-background": "#11151b",
        "scrollbar-hover": "#3a4656",
        "scrollbar-active": "#6cb2e0",
    },
)

_LIGHT = Theme(
    name="pilot-light",
    primary="#0b63a5",
    secondary="#0b63a5",
    accent="#0b63a5",
    success="#1f7a33",
    warning="#8f5a00",
    error="#b3261e",
    foreground="#20262e",
    background="#fafbfc",
    surface="#f0f2f5",
    panel="#e6eaef",
    dark=False,
    variables={
        "border": "#0b63a5",
        "border-blurred": "#c9d1da",
        "block-cursor-background": "#d5e6f5",
        "block-cursor-foreground": "#000000",
        "block-cursor-text-style": "none",
        "scrollbar": "#c9d1da",
        "scrollbar-background": "#fafbfc",
        "scrollbar-hover": "#aab5c1",
        "scrollbar-active": "#0b63a5",
    },
)


def _terminal(name: str, like: str) -> Theme:
    base = BUILTIN_THEMES[like]
    return Theme(
        name=name,
        ansi=True,
        primary="ansi_blue" if not base.dark else "ansi_cyan",
        secondary="ansi_cyan",
        accent="ansi_blue" if not base.dark else "ansi_cyan",
        success="ansi_green",
        warning="ansi_yellow",
        error="ansi_red",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=base.dark,
        variables={
            **base.variables,
            "border": "ansi_cyan" if base.dark else "ansi_blue",
            "border-blurred": "ansi_bright_black",
        },
    )


THEMES: tuple[Theme, ...] = (
    _DARK,
    _LIGHT,
    _terminal("pilot-terminal", "ansi-dark"),
    _terminal("pilot-terminal-light", "ansi-light"),
)
NAMES: tuple[str, ...] = tuple(theme.name.removeprefix("pilot-") for theme in THEMES)
"""What the user calls them."""
