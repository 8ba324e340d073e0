"""The user's own settings of the full-screen app: `app.toml` in the configuration folder."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from pilot import config
from pilot.client_config import ClientConfig
from pilot.key_sequences import KeySequence

ThemeChoice = Literal["auto", "dark", "light", "terminal", "terminal-light"]

Alert = Literal["none", "bell", "desktop"]

Graphics = Literal["auto", "text", "kitty", "blocks"]

MOST_SEQUENCES = 10


class AppConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The file app.toml. All of it may be left out."""

    theme: ThemeChoice = "auto"
    """`dark` and `light` bring their own colours; `terminal` uses the 16 of the terminal. `auto`: dark where
    the terminal has more than 16 colours, else the terminal's."""
    readonly: bool = False
    """Hide every verb that changes something, as `pilot --readonly` does."""
    undo_seconds: float = 5.0
    """For how long a shutdown or reboot is held before it is asked for, so that `u` takes it back; 0: no such
    time."""
    cluster: str = ""
    """The cluster that is shown first; empty: all that are yours."""
    mouse: bool = True
    """Whether the app takes the mouse; without it the terminal's own selection works."""
    scrollback: int = 10_000
    """Lines that each console keeps."""
    bell: bool = True
    """Whether a console's bell rings the terminal's."""
    alert: Alert = "none"
    """What is done when something new needs attention at once, which stands still somebody's work: `bell`
    rings the terminal's, `desktop` asks the terminal for a notification of the desktop."""
    graphics: Graphics = "auto"
    """How nodes' screens (VNC) are drawn: `text`, if it can be read; `kitty`, as pixels by Kitty's protocol,
    also through tmux if that lets it pass; `blocks`, as half blocks. `auto`: as text, else as pixels if the
    terminal says that it can, else as half blocks."""
    keys: dict[str, str] = {}
    """Other keys for actions, by the ids that `?` shows: `"nodes.mark" = "m"`; several with commas."""
    sequence: list[KeySequence] = []
    """Keys with a name, for the menu of keys at a console."""
    filters: dict[str, str] = {}
    """Saved filters by name: `:filter NAME` uses one."""

    def __post_init__(self) -> None:
        if not 0 <= self.undo_seconds <= 60:
            raise config.KeyProblem("undo-seconds", "from 0 to 60")
        if not 100 <= self.scrollback <= 100_000:
            raise config.KeyProblem("scrollback", "from 100 to 100000 lines")
        if len(self.sequence) > MOST_SEQUENCES:
            raise config.KeyProblem("sequence", f"{MOST_SEQUENCES} at most: each has a digit in the menu")


def load(client: ClientConfig) -> AppConfig:
    """The user's settings; the defaults where there is no file.

    Raises:
        ConfigError: the file is wrong.
    """
    path = client.folder / "app.toml"
    return config.load_toml(path, AppConfig) if path.exists() else AppConfig()


def theme_for(choice: ThemeChoice) -> str:
    """The theme's name in the app."""
    if choice != "auto":
        return f"pilot-{choice}"
    term = os.environ.get("TERM", "")
    rich_colours = os.environ.get("COLORTERM") in ("truecolor", "24bit") or "256" in term or "kitty" in term
    return "pilot-dark" if rich_colours else "pilot-terminal"


def shown_key(key: str) -> str:
    """A key as people write it: `Ctrl+Q` for `ctrl+q`."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    last = last.capitalize() if modifiers or len(last) > 1 else last
    return "+".join([*(modifier.capitalize() for modifier in modifiers), last])
