"""The second key of the power verbs: which there are, and which of them would be refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from pilot.records import Node
from pilot.render.table import Cell
from pilot.verbs import VERBS, Verb
from pilot.widgets.lines import LineList, Row
from pilot.wire import plain

PREFIX = "p"


def menu_verbs(prefix: str = PREFIX) -> dict[str, Verb]:
    """The verbs that a key begins, by the key that follows it."""
    found = (verb for verb in VERBS if verb.key.startswith(f"{prefix} "))
    return {verb.key.split(" ", 1)[1]: verb for verb in found}


class PowerMenu(ModalScreen[Verb | None]):
    """The verb that is chosen, by its key, with the arrows and Enter, or with the mouse; None if none is.

    What is typed while it opens counts: `p o` typed at once is one thing.
    """

    CSS_PATH = "power_menu.tcss"
    AUTO_FOCUS = ""
    BINDINGS = [
        Binding("escape", "close", "close", key_display="Esc"),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("enter", "choose", "choose", key_display="⏎"),
    ]

    def __init__(self, nodes: Sequence[Node], why_not: Callable[[Verb], str], prefix: str = PREFIX) -> None:
        """For these nodes; `why_not` says why a verb would be refused, nothing if it would not."""
        super().__init__()
        self._whom = plain(nodes[0].name or nodes[0].domain) if len(nodes) == 1 else f"{len(nodes)} nodes"
        self._verbs = menu_verbs(prefix)
        self._taken = False
        self._why_not = {key: why_not(verb) for key, verb in self._verbs.items()}

    def compose(self) -> ComposeResult:
        """A line for each verb."""
        with Vertical(classes="menu") as box:
            box.border_title = Text(f"Power: {self._whom}")
            with VerticalScroll(can_focus=False):
                yield LineList(classes="-chosen")

    def on_mount(self) -> None:
        """Show the verbs; the cursor is on the first that can be chosen."""
        lines = self.query_one(LineList)
        lines.can_focus = False
        lines.show_rows([self._row(number, key) for number, key in enumerate(self._verbs)])
        free = (number for number, key in enumerate(self._verbs) if not self._why_not[key])
        lines.cursor = next(free, 0)

    def _row(self, number: int, key: str) -> Row:
        verb, why = self._verbs[key], self._why_not[key]
        if why:
            said = Cell(f"{key}  {verb.label:<9} {verb.help}", "dim")
            return Row(number, (said,), (Cell(why, "busy"),))
        return Row(number, (Cell(key, "strong"), Cell(f"  {verb.label:<9} "), Cell(verb.help, "dim")))

    def on_key(self, event: events.Key) -> None:
        """A verb's own key."""
        key = event.character or event.key
        if key in self._verbs:
            event.stop()
            event.prevent_default()
            self.query_one(LineList).cursor = list(self._verbs).index(key)
            self._take(key)

    def on_click(self, event: events.Click) -> None:
        """A click on a verb takes it; one beside the menu closes it."""
        lines = self.query_one(LineList)
        if event.widget is lines:
            self.action_choose()
        elif event.widget is self:
            self.action_close()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(LineList).action_move(by)

    def action_choose(self) -> None:
        """Take what the cursor is on."""
        self._take(list(self._verbs)[self.query_one(LineList).cursor or 0])

    def action_close(self) -> None:
        """None is wanted."""
        self.dismiss(None)

    def _take(self, key: str) -> None:
        if self._why_not[key]:
            self.app.bell()
        elif not self._taken:
            self._taken = True
            self.dismiss(self._verbs[key])
