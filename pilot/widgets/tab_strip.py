"""The line of tabs: the app's areas by number, then what the user has opened."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from pilot.wire import plain


class Tab(msgspec.Struct, frozen=True):
    """One tab."""

    mode: str
    title: str
    opened: bool = False
    """Whether the user opened it: it stands behind the bar, and can be closed."""
    news: bool = False
    """Something happened in it that was not looked at."""


class TabStrip(Widget):
    """One line of tabs. A click chooses one."""

    COMPONENT_CLASSES = {"tab-strip--here", "tab-strip--number", "tab-strip--news"}
    DEFAULT_CSS = """
    TabStrip {
        height: 1; width: 1fr; padding: 0 1;
        & > .tab-strip--here { text-style: bold underline; color: $accent; }
        & > .tab-strip--number { text-style: dim; }
        & > .tab-strip--news { color: $warning; }
    }
    """
    ALLOW_SELECT = False

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs: tuple[Tab, ...] = ()
        self._here = ""
        self._places: list[tuple[int, int, str]] = []

    def show(self, tabs: Sequence[Tab], here: str) -> None:
        """Show these, with the one of this mode as the one that is open."""
        if (tuple(tabs), here) != (self._tabs, self._here):
            self._tabs, self._here = tuple(tabs), here
            self.refresh()

    def render(self) -> Text:
        """The tabs; as many before the open one are left out as it takes to show it."""
        room = self.content_size.width
        here = next((i for i, tab in enumerate(self._tabs) if tab.mode == self._here), 0)
        skipped = 0
        text, places = self._draw(0)
        while skipped < here and places[here - skipped][1] > room:
            skipped += 1
            text, places = self._draw(skipped)
        self._places = places
        text.truncate(max(0, room), overflow="ellipsis")
        return text

    def _draw(self, skipped: int) -> tuple[Text, list[tuple[int, int, str]]]:
        styles = {
            name: self.get_component_rich_style(f"tab-strip--{name}", partial=True)
            for name in ("here", "number", "news")
        }
        text = Text("‹ " if skipped else "", no_wrap=True, end="")
        places = []
        areas = sum(not tab.opened for tab in self._tabs)
        bar = False
        for number, tab in enumerate(self._tabs, 1):
            if number <= skipped:
                continue
            if tab.opened and not bar:
                bar = True
                text.append("│ ", styles["number"])
            start = text.cell_len
            text.append(_key(number - areas, "alt+") if tab.opened else _key(number), styles["number"])
            style = styles["here"] if tab.mode == self._here else styles["news"] if tab.news else ""
            text.append(plain(tab.title, 30) + (" •" if tab.news else ""), style)
            places.append((start, text.cell_len, tab.mode))
            text.append("  ")
        return text, places

    def on_click(self, event: events.Click) -> None:
        """The tab under the pointer."""
        event.stop()
        place = event.get_content_offset(self)
        for start, end, mode in self._places:
            if place is not None and start <= place.x < end:
                self.post_message(self.Chosen(mode))
                return


def _key(number: int, held: str = "") -> str:
    """What to press for a tab; only the first tells what is held."""
    if number > 9 and (held or number > 10):
        return ""
    return f"{held if number == 1 else ''}{number % 10} "
