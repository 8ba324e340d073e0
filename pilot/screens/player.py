"""The player: a recording in a terminal of its own size, and a line with where it is."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widget import Widget

from pilot import app_config, themes, wire
from pilot.live.playing import Player
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.terminal_display import TerminalDisplay

FRAME_SECONDS = 1 / 30
SKIP_SECONDS = 5.0
_MOST_BAR = 60


class PlayerLine(Widget):
    """Where the recording is: time, speed, a bar with the markers on it, the last marker's words."""

    COMPONENT_CLASSES = {"player--done", "player--mark", "player--trouble"}
    DEFAULT_CSS = """
    PlayerLine { height: 1; width: 1fr; padding: 0 1; background: $panel; }
    PlayerLine > .player--done { color: $accent; }
    PlayerLine > .player--mark { color: $warning; }
    PlayerLine > .player--trouble { color: $error; }
    """
    ALLOW_SELECT = False

    def __init__(self, player: Player) -> None:
        """Of this player."""
        super().__init__()
        self._player = player

    def render(self) -> Text:
        """The line; what there is no room for at its right end is left out."""
        player = self._player
        sign = "■" if player.ended else "…" if player.seeking else "‖" if player.paused else "▶"
        text = Text(no_wrap=True, end="")
        text.append(f"{sign} {shown(player.position)} / {shown(player.contents.duration)}")
        text.append(f"  {player.speed:g}x  ")
        room = self.content_size.width
        text.append_text(self._bar(min(_MOST_BAR, room - text.cell_len)))
        if player.trouble and player.ended:
            words = wire.plain(f"  damaged: {player.trouble}")
            text.append(words, self.get_component_rich_style("player--trouble", partial=True))
        elif (place := player.marker) is not None:
            text.append(f"  ◆ {place.label}", self.get_component_rich_style("player--mark", partial=True))
        text.truncate(room, overflow="ellipsis")
        return text

    def _bar(self, width: int) -> Text:
        text = Text(end="")
        duration = self._player.contents.duration
        if width < 8 or not duration:
            return text
        done = int(self._player.position / duration * (width - 1))
        marks = {int(place.time / duration * (width - 1)) for place in self._player.contents.markers}
        styles = {
            name: self.get_component_rich_style(f"player--{name}", partial=True) for name in ("done", "mark")
        }
        for cell in range(width):
            if cell in marks:
                text.append("◆", styles["mark"])
            else:
                text.append("━" if cell <= done else "─", styles["done"] if cell <= done else "")
        return text


class PlayerApp(App[None], inherit_bindings=False):
    """Plays one recording."""

    TITLE = "Rocks Pilot"
    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { layers: base; }"
    BINDINGS: ClassVar = [
        Binding("space", "pause", "pause"),
        Binding("left", "skip(-1)", "5 s back"),
        Binding("right", "skip(1)", "5 s on"),
        Binding("left_square_bracket,shift+left", "marker(-1)", "marker before"),
        Binding("right_square_bracket,shift+right", "marker(1)", "next marker"),
        Binding("plus,equals_sign", "speed(1)", "faster"),
        Binding("minus", "speed(-1)", "slower"),
        Binding("home", "home", "beginning", show=False),
        Binding("end", "end", "end", show=False),
        Binding("pageup,shift+pageup", "look(-1)", "look back", show=False),
        Binding("pagedown,shift+pagedown", "look(1)", "look further down", show=False),
        Binding("y", "copy", "copy the screen", show=False),
        Binding("q,escape,ctrl+c,ctrl+q", "quit", "quit"),
    ]

    def __init__(self, player: Player) -> None:
        """Begin to play it once there is a screen."""
        super().__init__()
        self.player = player
        self.display_of_it = TerminalDisplay(player.engine, fixed=True)
        self.line = PlayerLine(player)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = app_config.theme_for("auto")

    def compose(self) -> ComposeResult:
        """The terminal, and two lines below."""
        yield self.display_of_it
        yield self.line
        yield KeyBar()

    def on_mount(self) -> None:
        """Play."""
        self.player.seek(self.player.position)
        self.set_interval(FRAME_SECONDS, self._frame)

    def _frame(self) -> None:
        if self.player.step():
            self.display_of_it.engine_changed()
        self.line.refresh()

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self.player.pause(not self.player.paused and not self.player.ended)

    def action_skip(self, step: int) -> None:
        """Some seconds on, or back."""
        self.player.skip(step * SKIP_SECONDS)

    def action_marker(self, step: int) -> None:
        """To the next marker, or the one before."""
        self.player.skip_marker(step)

    def action_speed(self, step: int) -> None:
        """Faster, or slower."""
        self.player.change_speed(step)

    def action_home(self) -> None:
        """To the beginning."""
        self.player.seek(0.0)

    def action_end(self) -> None:
        """To the end."""
        self.player.seek(self.player.contents.duration)

    def action_look(self, pages: int) -> None:
        """Look at what has scrolled away."""
        self.display_of_it.look_back(pages)

    def action_copy(self) -> None:
        """Put what is in view into the user's clipboard."""
        self.display_of_it.copy_screen()


def shown(seconds: float) -> str:
    """`4:05`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
