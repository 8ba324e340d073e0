"""The player by itself: `pilot play` in a terminal."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.timer import Timer

from pilot import app_config, themes
from pilot.live.playing import Player
from pilot.render.table import Cell
from pilot.screens.player_pane import PlayerPane
from pilot.widgets.cell_line import CellLine
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.ordered_keys import OrderedKeys
from pilot.widgets.prompt import Prompt

SAID_SECONDS = 4.0


class PlayerApp(OrderedKeys[None], inherit_bindings=False):
    """Plays one recording."""

    TITLE = "Rocks Pilot"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: base; }
    #said { height: 1; padding: 0 1; display: none; }
    Screen.-saying #said { display: block; }
    Screen.-saying KeyBar, Screen.-prompting KeyBar, Screen.-prompting #said { display: none; }
    """
    BINDINGS: ClassVar = [
        Binding("left_square_bracket", "marker(-1)", "marker before", show=False),
        Binding("right_square_bracket", "marker(1)", "next marker", show=False),
        Binding("q,escape,ctrl+c,ctrl+q", "quit", "quit"),
    ]

    def __init__(self, player: Player) -> None:
        """Begin to play it once there is a screen."""
        super().__init__()
        self._said: Timer | None = None
        self.pane = PlayerPane(player, self._say)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = app_config.theme_for("auto")

    def compose(self) -> ComposeResult:
        """The pane, and the line of keys below it."""
        yield self.pane
        yield KeyBar()
        yield CellLine(id="said")
        yield Prompt()

    def on_mount(self) -> None:
        """Its keys are the player's."""
        self.pane.focus()

    def _say(self, words: str) -> None:
        """In the place of the line of keys, for a moment."""
        self.query_one("#said", CellLine).show([Cell(words)])
        self.screen.add_class("-saying")
        if self._said is not None:
            self._said.stop()
        self._said = self.set_timer(SAID_SECONDS, lambda: self.screen.remove_class("-saying"))

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
