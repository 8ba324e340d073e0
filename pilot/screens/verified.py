"""What a check of the journal found."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.widgets.lines import Lines


class VerifiedScreen(ModalScreen[None]):
    """Counts, and the first thing that is wrong."""

    CSS_PATH = "verified.tcss"
    BINDINGS = [Binding("escape,enter,q", "dismiss", "close", key_display="Esc")]

    def __init__(self, lines: Sequence[tuple[str, Tone]], *, ok: bool) -> None:
        super().__init__()
        self._lines = lines
        self._ok = ok

    def compose(self) -> ComposeResult:
        """The lines."""
        with VerticalScroll(id="verified", classes="" if self._ok else "-bad") as box:
            box.border_title = "The journal was checked"
            yield Lines()

    def on_resize(self) -> None:
        """Fill in: what is too long for a line goes on in the next."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        lines = self.query_one(Lines)
        width = max(10, lines.content_size.width)
        parts = [
            (part, tone)
            for text, tone in self._lines
            for part in textwrap.wrap(text, width, subsequent_indent="  ")
        ]
        lines.show([[Cell(part, tone)] for part, tone in parts])
