"""A recording that plays: a terminal of its size, and a line with where it is. For an app or a tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer

from pilot.errors import PilotError
from pilot.live.playing import Player
from pilot.render.console import copied_words
from pilot.widgets.player_line import PlayerLine
from pilot.widgets.prompt import Prompt
from pilot.widgets.terminal_display import TerminalDisplay

FRAME_SECONDS = 1 / 30


class PlayerPane(Vertical, can_focus=True):
    """Plays while it is shown. Its keys work while it has the focus; `/` asks the screen's `Prompt`."""

    DEFAULT_CSS = "PlayerPane { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "pause", id="player.pause"),
        Binding("left", "skip(-5)", "5 s back", id="player.back"),
        Binding("right", "skip(5)", "5 s on", id="player.on"),
        Binding("down", "skip(-30)", "30 s back", show=False, id="player.back-30"),
        Binding("up", "skip(30)", "30 s on", show=False, id="player.on-30"),
        Binding("shift+left,M", "marker(-1)", "marker before", show=False, id="player.marker-before"),
        Binding("shift+right,m", "marker(1)", "next marker", key_display="m", id="player.next-marker"),
        Binding("plus,equals_sign", "speed(1)", "faster", key_display="+", id="player.faster"),
        Binding("minus", "speed(-1)", "slower", key_display="-", id="player.slower"),
        Binding("home,g", "seek(0)", "beginning", show=False, id="player.beginning"),
        Binding("end,G", "seek(1)", "end", show=False, id="player.end"),
        Binding("slash", "search", "search", key_display="/", id="player.search"),
        Binding("n", "next(-1)", "older", id="player.older"),
        Binding("N", "next(1)", "newer", show=False, id="player.newer"),
        Binding("pageup,shift+pageup", "look(-1)", "look back", show=False, id="player.page-up"),
        Binding("pagedown,shift+pagedown", "look(1)", "look further down", show=False, id="player.page-down"),
        Binding("y", "copy", "copy the screen", show=False, id="player.copy"),
    ]

    def __init__(self, player: Player, say: Callable[[str], None]) -> None:
        """Begin to play it once it is shown. `say` is told what the user should know in passing."""
        super().__init__()
        self.player = player
        self._say = say
        self.display_of_it = TerminalDisplay(player.engine, fixed=True)
        self.line = PlayerLine(player)
        self._frames: Timer | None = None
        self._rested = False
        self._again = False

    def compose(self) -> ComposeResult:
        """The terminal, and the line below it."""
        yield self.display_of_it
        yield self.line

    def on_mount(self) -> None:
        """Play."""
        self.player.seek(self.player.position)
        self._frames = self.set_interval(FRAME_SECONDS, self._frame)

    def shown(self, is_shown: bool) -> None:
        """Whether it is looked at: while it is not, it stands still."""
        if self._frames is None:
            return
        if is_shown:
            self._frames.resume()
            if self._rested:
                self.player.pause(False)
            self._rested = False
        else:
            self._rested = not self.player.paused and not self.player.ended
            self.player.pause(True)
            self._frames.pause()

    def _frame(self) -> None:
        player, sought = self.player, self.player.seeking
        printed = player.step()
        if player.seeking:
            # What is between two places is not worth a look; keys have their turn.
            if not self._again:
                self._again = True
                self.call_later(self._seek_on)
        elif printed or sought:
            self.display_of_it.engine_changed()
        self.line.follow()

    def _seek_on(self) -> None:
        self._again = False
        if self.is_attached:
            self._frame()

    def _go(self, position: float) -> None:
        self.player.seek(position)
        self.display_of_it.look_at_bottom()
        self._frame()

    # --- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        if action == "next":
            return bool(self.display_of_it.marks.pattern)
        return bool(self.player.contents.markers) if action == "marker" else True

    def action_pause(self) -> None:
        """Stand still, or go on; at the end, play it again."""
        self.player.pause(not self.player.paused and not self.player.ended)
        self._frame()

    def action_skip(self, seconds: float) -> None:
        """Some seconds on, or back."""
        self._go(self.player.position + seconds)

    def action_seek(self, part: float) -> None:
        """To a part of it, from 0 to 1."""
        self._go(part * self.player.contents.duration)

    @on(PlayerLine.Sought)
    def _sought(self, event: PlayerLine.Sought) -> None:
        event.stop()
        self._go(event.position)

    def action_marker(self, step: int) -> None:
        """To the next marker, or the one before."""
        if self.player.skip_marker(step):
            self._go(self.player.position)
        else:
            self.app.bell()

    def action_speed(self, step: int) -> None:
        """Faster, or slower."""
        self.player.change_speed(step)

    def action_look(self, pages: int) -> None:
        """Look at what has scrolled away."""
        self.display_of_it.look_back(pages)

    def action_search(self) -> None:
        """Ask what to search for in what was printed so far; it stands still meanwhile."""
        self.player.pause(True)
        self.screen.query_one(Prompt).ask("/")

    def search(self, text: str) -> None:
        """Show the newest place where this stands."""
        try:
            found = self.display_of_it.search(text)
        except PilotError as error:
            self._say(f"{error.message}. {error.hint}")
            return
        if text:
            said = (
                f"{found:,} found: n older, N newer" if found else f"{text} is nowhere in what it has printed"
            )
            self._say(said)
        self.refresh_bindings()

    def action_next(self, step: int) -> None:
        """The next place that was found."""
        if not self.display_of_it.search_next(step):
            self.app.bell()

    def action_copy(self) -> None:
        """Put what is in view into the user's clipboard."""
        self.display_of_it.copy_screen()

    @on(TerminalDisplay.Copied)
    def _copied(self, event: TerminalDisplay.Copied) -> None:
        event.stop()
        self._say(copied_words(event.text, event.whole))
