"""A line to type on, with what it may become above it: the `:` and `/` lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from pilot.render.table import Cell
from pilot.widgets.cell_line import CellLine

Complete = Callable[[str], Sequence[str]]
LONGEST = 500
_MOST_REMEMBERED = 50


class _Line(Input):
    BINDINGS = [
        Binding("tab", "next(1)", "Complete", show=False),
        Binding("shift+tab", "next(-1)", show=False),
        Binding("up", "past(-1)", show=False),
        Binding("down", "past(1)", show=False),
        Binding("escape", "cancel", show=False),
        Binding("ctrl+c", "cancel", show=False),
    ]

    def action_next(self, step: int) -> None:
        """The next completion."""
        self.screen.query_one(Prompt).offer(step)

    def action_past(self, step: int) -> None:
        """A line typed before."""
        self.screen.query_one(Prompt).recall(step)

    def action_cancel(self) -> None:
        """Leave the line."""
        self.screen.query_one(Prompt).cancel()


class Prompt(Vertical):
    """Hidden until `ask`; then it has the focus until it is submitted or cancelled."""

    DEFAULT_CSS = """
    Prompt {
        height: auto; display: none; dock: bottom; background: $background;
        & Horizontal { height: 1; padding: 0 1; }
        & #prompt-sign { width: 2; color: $accent; text-style: bold; }
        & Input, & Input:focus { border: none; height: 1; padding: 0; width: 1fr; background: $background; }
    }
    Prompt.-asking { display: block; }
    """

    class Changed(Message):
        """The text is another."""

        def __init__(self, sign: str, text: str) -> None:
            super().__init__()
            self.sign = sign
            self.text = text

    class Submitted(Changed):
        """Enter was pressed."""

    class Cancelled(Changed):
        """Escape was pressed; `text` is what was there when it was asked for."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sign = ""
        self._first = ""
        self._complete: Complete | None = None
        self._offered: tuple[str, ...] = ()
        self._offer = -1
        self._past: dict[str, list[str]] = {}
        self._at = 0

    def compose(self) -> ComposeResult:
        """The completions, the sign, and the line."""
        yield CellLine(id="prompt-offers")
        with Horizontal():
            yield Static("", id="prompt-sign")
            yield _Line(max_length=LONGEST, compact=True, select_on_focus=False)

    @property
    def asking(self) -> bool:
        """Whether it is open."""
        return self.has_class("-asking")

    def ask(self, sign: str, text: str = "", complete: Complete | None = None) -> None:
        """Open it with a text to begin with."""
        self._sign, self._first, self._complete = sign, text, complete
        self._at = len(self._past.setdefault(sign, []))
        self.query_one("#prompt-sign", Static).update(sign)
        line = self.query_one(_Line)
        with self.prevent(Input.Changed):
            line.value = text
        line.cursor_position = len(text)
        self.add_class("-asking")
        self.screen.add_class("-prompting")
        line.focus()
        self._offers(text)

    def note(self, text: str, *, bad: bool = False) -> None:
        """Say something about what is typed, where completions stand otherwise."""
        self.query_one("#prompt-offers", CellLine).show([Cell(text, "bad" if bad else "dim")])

    def cancel(self) -> None:
        """Close it as if nothing had been typed."""
        self._close()
        self.post_message(self.Cancelled(self._sign, self._first))

    def offer(self, step: int) -> None:
        """Put the next completion on the line."""
        if not self._offered:
            return
        self._offer = (self._offer + step) % len(self._offered)
        line = self.query_one(_Line)
        with self.prevent(Input.Changed):
            line.value = self._offered[self._offer]
        line.cursor_position = len(line.value)
        self._draw()
        self.post_message(self.Changed(self._sign, line.value))

    def recall(self, step: int) -> None:
        """Put an older or newer line in."""
        past = self._past[self._sign]
        self._at = max(0, min(len(past), self._at + step))
        line = self.query_one(_Line)
        line.value = past[self._at] if self._at < len(past) else ""
        line.cursor_position = len(line.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._offers(event.value)
        self.post_message(self.Changed(self._sign, event.value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        past = self._past[self._sign]
        if event.value and event.value not in past[-1:]:
            past.append(event.value)
            del past[:-_MOST_REMEMBERED]
        self._close()
        self.post_message(self.Submitted(self._sign, event.value))

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        """Whoever takes the focus ends the question."""
        if self.asking and self.app.app_focus:
            self.cancel()

    def _close(self) -> None:
        self.remove_class("-asking")
        self.screen.remove_class("-prompting")

    def _offers(self, text: str) -> None:
        self._offered = tuple(self._complete(text)) if self._complete else ()
        self._offer = -1
        self._draw()

    def _draw(self) -> None:
        cells = []
        start = max(0, self._offer - 3)
        for number, name in enumerate(self._offered[start : start + 20], start):
            cells += [Cell(name, "strong" if number == self._offer else "dim"), Cell("  ")]
        self.query_one("#prompt-offers", CellLine).show(cells)
