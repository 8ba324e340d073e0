"""Asking before a verb is done: what happens to whom, and Cancel unless it is said otherwise."""

from __future__ import annotations

import textwrap

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from pilot.danger import Question
from pilot.render.table import in_columns

SETTLE_SECONDS = 0.3
"""For how long after the dialog is seen nothing confirms: what was typed or clicked before was meant for
something else."""
_WIDEST = 80
_FRAME = 4
"""Columns of border and padding."""


class ConfirmScreen(ModalScreen[bool]):
    """True if it is to be done. Of a question of kind `none` there is nothing to ask."""

    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;
        & > .confirm {
            width: 90%;
            max-width: 80;
            height: auto;
            padding: 0 1;
            border: round $accent;
            background: $surface;
        }
        & > .confirm.-word { border: round $error; }
        & .title { text-style: bold; height: auto; }
        & .consequence { height: auto; }
        & .names { height: auto; margin: 1 0 0 2; scrollbar-size-vertical: 1; }
        & .names Static { height: auto; }
        & .word { height: 1; margin-top: 1; }
        & .word Static { width: auto; }
        & .word Input { width: 1fr; }
        & .buttons { height: 1; margin-top: 1; }
        & Button { margin-right: 2; min-width: 0; }
        /* With the terminal's own colours, Textual frames what is disabled or under the mouse: in one row the
           frame would hide the words. */
        & #yes, & #no {
            &:disabled, &:hover, &.-active { border: none !important; }
        }
        & .-tight { margin-top: 0; }
    }
    """
    BINDINGS = [
        Binding("escape", "cancel", "cancel", key_display="Esc"),
        Binding("n", "cancel", "no"),
        Binding("y", "yes", "yes"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-8)", show=False),
        Binding("pagedown", "scroll(8)", show=False),
    ]
    AUTO_FOCUS = ""

    def __init__(self, question: Question, *, settle: float = SETTLE_SECONDS) -> None:
        """`settle`: seconds in which nothing confirms yet."""
        super().__init__()
        self.question = question
        self.ready = False
        """Whether keys and clicks count."""
        self._settle = settle

    def compose(self) -> ComposeResult:
        """The question, its cost, the names, the word if one is to be typed, the two ways on."""
        asked = self.question
        with Vertical(classes="confirm" if asked.kind == "confirm" else "confirm -word"):
            yield Static(asked.title, classes="title", markup=False)
            yield Static(self._cost, classes="consequence", markup=False)
            with VerticalScroll(classes="names", can_focus=False):
                yield Static(markup=False)
            if asked.kind == "word":
                with Horizontal(classes="word"):
                    yield Static(f"Type {asked.word}: ", markup=False)
                    yield Input(compact=True, disabled=True, max_length=200)
            with Horizontal(classes="buttons"):
                yield Button(Text(f"[ {asked.act} ]"), id="yes", compact=True, disabled=True)
                yield Button(Text("[ Cancel ]"), id="no", compact=True, disabled=True)

    @property
    def _cost(self) -> str:
        return f"{self.question.consequence} {self.question.why}".strip()

    def on_mount(self) -> None:
        """Wait until it has been seen for a moment."""
        self._fit(self.size.width, self.size.height)
        # Textual's timers take no zero.
        self.call_after_refresh(self.set_timer, max(self._settle, 0.001), self._settled)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new size."""
        self._fit(event.size.width, event.size.height)

    def _fit(self, width: int, height: int) -> None:
        """The names get what room is left: question and buttons stay in sight, however small the screen."""
        inner = min(width * 9 // 10, _WIDEST) - _FRAME
        texts = [self.question.title, self._cost]
        fixed = 2 + sum(len(textwrap.wrap(text, max(10, inner))) for text in texts) + 1
        fixed += 1 if self.question.kind == "word" else 0
        names = in_columns(self.question.names, inner - 3) if len(self.question.names) > 1 else []
        gaps = 3 if self.question.kind == "word" else 2
        tight = fixed + gaps + min(len(names), 3) > height
        self.query(".names, .word, .buttons").set_class(tight, "-tight")
        room = max(1, height - fixed - (0 if tight else gaps))
        holder = self.query_one(".names", VerticalScroll)
        holder.display = bool(names)
        holder.styles.height = min(len(names), room) or 1
        holder.query_one(Static).update("\n".join(names))
        box = self.query_one(".confirm")
        box.border_subtitle = f"{len(self.question.names)} nodes, PgDn for more" if len(names) > room else ""

    def _settled(self) -> None:
        self.ready = True
        self.query_one("#no", Button).disabled = False
        if self.question.kind == "word":
            field = self.query_one(Input)
            field.disabled = False
            field.focus()
        else:
            self.query_one("#yes", Button).disabled = False
            self.query_one("#no", Button).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = not self.question.agrees(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if self.question.agrees(event.value):
            self.dismiss(True)
        else:
            self.app.bell()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        """By key, where a yes is enough."""
        if self.ready and self.question.kind == "confirm":
            self.dismiss(True)

    def action_cancel(self) -> None:
        """Nothing is done."""
        self.dismiss(False)

    def action_scroll(self, by: int) -> None:
        """More of the names."""
        self.query_one(".names", VerticalScroll).scroll_relative(y=by, animate=False)
