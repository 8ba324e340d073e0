"""One line of a player: where it is, how fast, a bar with the markers on it, the last marker's words."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from pilot import wire
from pilot.live.playing import Player
from pilot.render.times import position

_MOST_BAR, _LEAST_BAR = 60, 8


class PlayerLine(Widget):
    """Of one player. A click on the bar is a seek."""

    COMPONENT_CLASSES = {"player--done", "player--mark", "player--trouble"}
    DEFAULT_CSS = """
    PlayerLine { height: 1; width: 1fr; padding: 0 1; background: $panel; }
    PlayerLine > .player--done { color: $accent; }
    PlayerLine > .player--mark { color: $warning; }
    PlayerLine > .player--trouble { color: $error; }
    PlayerLine:ansi { background: ansi_default; text-style: underline; }
    """
    ALLOW_SELECT = False

    class Sought(Message):
        """This place is wanted."""

        def __init__(self, position: float) -> None:
            super().__init__()
            self.position = position
            """Seconds since the beginning."""

    def __init__(self, player: Player) -> None:
        """Of this player."""
        super().__init__()
        self._player = player
        self._bar_at = (0, 0)
        """Where the bar is, and how wide."""
        self._drawn: tuple[object, ...] = ()

    def follow(self) -> None:
        """Draw it again if it looks different by now."""
        player = self._player
        width = max(self._bar_at[1] - 1, 1)
        cell = int(player.position / (player.contents.duration or 1.0) * width)
        looks = (self._sign, int(player.position), player.speed, cell, player.marker, player.trouble)
        if looks != self._drawn:
            self._drawn = looks
            self.refresh()

    @property
    def _sign(self) -> str:
        player = self._player
        return "■" if player.ended else "…" if player.seeking else "‖" if player.paused else "▶"

    def render(self) -> Text:
        """The line; what there is no room for at its right end is left out."""
        player = self._player
        text = Text(no_wrap=True, end="")
        text.append(f"{self._sign} {position(player.position)} / {position(player.contents.duration)}")
        text.append(f"  {player.speed:g}x  ")
        room = self.content_size.width
        width = min(_MOST_BAR, room - text.cell_len)
        if width < _LEAST_BAR or not player.contents.duration:
            width = 0
        self._bar_at = (text.cell_len, width)
        text.append_text(self._bar(width))
        if player.trouble and player.ended:
            words = wire.plain(f"  damaged: {player.trouble}")
            text.append(words, self.get_component_rich_style("player--trouble", partial=True))
        elif (place := player.marker) is not None:
            text.append(f"  ◆ {place.label}", self.get_component_rich_style("player--mark", partial=True))
        text.truncate(room, overflow="ellipsis")
        return text

    def _bar(self, width: int) -> Text:
        text = Text(end="")
        if not width:
            return text
        duration = self._player.contents.duration
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

    def on_click(self, event: events.Click) -> None:
        """To the place under the pointer."""
        offset = event.get_content_offset(self)
        left, width = self._bar_at
        if offset is not None and width > 1 and left <= offset.x < left + width:
            event.stop()
            self.post_message(self.Sought((offset.x - left) / (width - 1) * self._player.contents.duration))
