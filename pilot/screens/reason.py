"""Why something is asked: one line that others will read, and may be left empty."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

LONGEST = 200


class ReasonScreen(ModalScreen[str | None]):
    """What was typed, maybe nothing; None if it is not wanted after all."""

    CSS_PATH = "lease.tcss"
    BINDINGS = [Binding("escape", "cancel", "cancel", key_display="Esc")]

    def __init__(self, title: str, what: str, whose: str) -> None:
        """`title`: what is done to whom; `what`: what that means; `whose`: who will read the reason."""
        super().__init__()
        self._asked = title
        self._what = what
        self._whose = whose

    def compose(self) -> ComposeResult:
        """What it means, and the line."""
        with Vertical(classes="lease") as box:
            box.border_title = Text(self._asked)
            box.border_subtitle = Text("⏎ do it  Esc cancel")
            yield Static(f"{self._what[:1].upper()}{self._what[1:]}.", markup=False)
            with Horizontal():
                yield Static("Why: ", classes="label", markup=False)
                yield Input(max_length=LONGEST, compact=True)
            yield Static(self._whose, classes="words", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        """Nothing is done."""
        self.dismiss(None)
