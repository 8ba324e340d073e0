"""A lease: until when nodes run, asked with a line that says at once what is meant by what is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from pilot import leasing
from pilot.errors import PilotError
from pilot.records import Node
from pilot.screens.verb_menu import whom


class LeaseScreen(ModalScreen[str]):
    """What was typed, once it means something; empty if nothing is wanted."""

    CSS_PATH = "lease.tcss"
    BINDINGS = [Binding("escape", "cancel", "cancel", key_display="Esc")]

    def __init__(self, nodes: Sequence[Node], clock: Callable[[], float], why_not: str = "") -> None:
        """`why_not`: why it would be refused, if that is known already."""
        super().__init__()
        self._leased = nodes
        self._clock = clock
        self._why_not = why_not

    def compose(self) -> ComposeResult:
        """The lease there is, the line, and what is meant by it."""
        with Vertical(classes="lease") as box:
            box.border_title = Text(f"Lease of {whom(self._leased)}")
            box.border_subtitle = Text("⏎ give it  Esc cancel")
            yield Static(self._now(), classes="now", markup=False)
            with Horizontal():
                yield Static("Off at: ", classes="label", markup=False)
                yield Input(max_length=60, compact=True)
            yield Static(classes="meaning", markup=False)
            yield Static(leasing.WORDS, classes="words", markup=False)

    def on_mount(self) -> None:
        """Type at once; times go on."""
        self.query_one(Input).focus()
        self._said()
        self.set_interval(1.0, self._said)

    def _now(self) -> str:
        leases = [node.lease for node in self._leased if node.lease is not None]
        if not leases:
            return "No lease now: turned off at no time."
        if len(self._leased) == 1:
            return f"Now: {leasing.words(leases[0], self._clock())}."
        return f"{len(leases)} of {len(self._leased)} nodes have a lease now."

    @on(Input.Changed)
    def _said(self) -> None:
        """What is meant by what is typed."""
        self.query_one(".now", Static).update(self._now())
        typed, shown = self.query_one(Input).value.strip(), self.query_one(".meaning", Static)
        meaning, bad = "", False
        if self._why_not:
            meaning, bad = self._why_not, True
        elif typed:
            try:
                meaning = leasing.meaning(typed, self._leased, self._clock())
            except PilotError as error:
                meaning, bad = f"{error.message}. {error.hint}".rstrip(), True
        shown.set_class(bad, "-bad")
        shown.update(meaning)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self._said()
        if event.value.strip() and not self.query_one(".meaning").has_class("-bad"):
            self.dismiss(event.value.strip())
        else:
            self.app.bell()

    def action_cancel(self) -> None:
        """None is wanted."""
        self.dismiss("")
