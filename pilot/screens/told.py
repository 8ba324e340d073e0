"""What was told of a console: power, people, what they said; the newest at the bottom."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from pilot.live.console import ConsoleSession
from pilot.render import console as render
from pilot.widgets.lines import Lines

SHOWN = 50


class ToldScreen(ModalScreen[bool]):
    """The last SHOWN notices with their times; follows. Gives whether something is to be said."""

    CSS_PATH = "told.tcss"
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS = [
        Binding("escape,q,h,enter", "close", "close", key_display="Esc"),
        Binding("m", "say", "message"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """The lines."""
        with Vertical(id="told") as box:
            box.border_title = Text(f"Told of {self._session.name}")
            box.border_subtitle = Text("m message  Esc close")
            with VerticalScroll():
                yield Lines()

    def on_mount(self) -> None:
        """Follow."""
        self._unlisten = self._session.changed.listen(self._changed)
        self._shown = 0
        self._draw()

    def on_unmount(self) -> None:
        """Follow no more."""
        self._unlisten()

    def _changed(self) -> None:
        self.call_later(self._draw)

    def _draw(self) -> None:
        if not self.is_attached:
            return
        notices = list(self._session.notices)[-SHOWN:]
        self.query_one(Lines).show([render.told(notice) for notice in notices] or [render.NOTHING_TOLD])
        if len(notices) != self._shown:
            self._shown = len(notices)
            self.call_after_refresh(lambda: self.query_one(VerticalScroll).scroll_end(animate=False))

    def action_scroll(self, step: int) -> None:
        """A line up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)

    def action_say(self) -> None:
        """Answer."""
        self.dismiss(True)

    def action_close(self) -> None:
        """Seen."""
        self.dismiss(False)
