"""What one node answered, beside what most did."""

from __future__ import annotations

import difflib

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from pilot.live.differing import Answer
from pilot.wire import plain


class AnswersScreen(ModalScreen[None]):
    """The difference, line by line."""

    DEFAULT_CSS = """
    AnswersScreen {
        align: center middle;
        & > #answers {
            width: 90%;
            max-width: 120;
            height: auto;
            max-height: 80%;
            border: round $accent;
            background: $surface;
        }
        & VerticalScroll { height: auto; max-height: 70vh; scrollbar-size-vertical: 1; }
        & Static { height: auto; }
    }
    """
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS = [
        Binding("escape,q,d,enter", "dismiss", "close", key_display="Esc"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, name: str, usual: Answer, answer: Answer) -> None:
        """Of the node of this name."""
        super().__init__()
        self._node_name = name
        self._usual = usual
        self._answer = answer

    def compose(self) -> ComposeResult:
        """The lines."""
        with Vertical(id="answers") as box:
            box.border_title = Text(f"{plain(self._node_name)} answered differently")
            box.border_subtitle = Text(f"- most  + {plain(self._node_name)}  Esc close")
            with VerticalScroll():
                yield Static(Text("\n").join(self._lines()))

    def action_scroll(self, lines: int) -> None:
        """Further down, or up."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _lines(self) -> list[Text]:
        found = []
        for line in difflib.ndiff(self._usual, self._answer):
            if line.startswith("?"):
                continue
            style = {"-": "red", "+": "green"}.get(line[0], "dim")
            found.append(Text(plain(line, 400), style))
        return found or [Text("They have the same lines by now.", "dim")]
