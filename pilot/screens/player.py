"""The player by itself: `pilot play` in a terminal."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding

from pilot import app_config, themes
from pilot.live.playing import Player
from pilot.screens.player_pane import PlayerPane
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.prompt import Prompt


class PlayerApp(App[None], inherit_bindings=False):
    """Plays one recording."""

    TITLE = "Rocks Pilot"
    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { layers: base; } Screen.-prompting KeyBar { display: none; }"
    BINDINGS: ClassVar = [
        Binding("left_square_bracket", "marker(-1)", "marker before", show=False),
        Binding("right_square_bracket", "marker(1)", "next marker", show=False),
        Binding("q,escape,ctrl+c,ctrl+q", "quit", "quit"),
    ]
    NOTIFICATION_TIMEOUT = 4.0

    def __init__(self, player: Player) -> None:
        """Begin to play it once there is a screen."""
        super().__init__()
        self.pane = PlayerPane(player, self._say)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = app_config.theme_for("auto")

    def compose(self) -> ComposeResult:
        """The pane, and the line of keys below it."""
        yield self.pane
        yield KeyBar()
        yield Prompt()

    def on_mount(self) -> None:
        """Its keys are the player's."""
        self.pane.focus()

    def _say(self, words: str) -> None:
        self.notify(words, markup=False)

    @on(Prompt.Submitted)
    def _asked(self, event: Prompt.Submitted) -> None:
        self.pane.focus()
        self.pane.search(event.text)

    @on(Prompt.Cancelled)
    def _not_asked(self) -> None:
        self.pane.focus()

    def action_marker(self, step: int) -> None:
        """As the pane's."""
        self.pane.action_marker(step)
