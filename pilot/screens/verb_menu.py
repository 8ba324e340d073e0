"""The second key of verbs that begin with the same one: which there are, and which would be refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget

from pilot.records import Node
from pilot.render.table import Cell
from pilot.verbs import VERBS, Verb
from pilot.widgets.lines import LineList, Row
from pilot.wire import plain

T = TypeVar("T")


class Item(NamedTuple, Generic[T]):
    """A line of a menu."""

    key: str
    label: str
    help: str
    value: T
    """What the menu gives if this is chosen."""
    why_not: str = ""
    """Why it cannot be chosen; empty if it can."""


def menu_verbs(prefix: str) -> dict[str, Verb]:
    """The verbs that a key begins, by the key that follows it."""
    found = (verb for verb in VERBS if verb.key.startswith(f"{prefix} "))
    return {verb.key.split(" ", 1)[1]: verb for verb in found}


def whom(nodes: Sequence[Node]) -> str:
    """The node's name, or how many they are."""
    return plain(nodes[0].name or nodes[0].domain) if len(nodes) == 1 else f"{len(nodes)} nodes"


class KeyMenu(ModalScreen[T | None]):
    """What is chosen by its key, with the arrows and Enter, or with the mouse; None if nothing is.

    What is typed while it opens counts: `p o` typed at once is one thing.
    """

    CSS_PATH = "verb_menu.tcss"
    AUTO_FOCUS = ""
    BINDINGS = [
        Binding("escape", "close", "close", key_display="Esc"),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("enter", "choose", "choose", key_display="⏎"),
    ]

    def __init__(self, title: str, items: Sequence[Item[T]], hint: str = "") -> None:
        """`hint` stands at the lower edge."""
        super().__init__()
        self._title = title
        self._hint = hint
        self._items = {item.key: item for item in items}
        self._label = max((len(item.label) for item in items), default=0)
        self._taken = False

    def compose(self) -> ComposeResult:
        """A line for each item."""
        with Vertical(classes="menu") as box:
            box.border_title = Text(self._title)
            box.border_subtitle = Text(self._hint)
            yield from self.about()
            with VerticalScroll(can_focus=False):
                yield LineList(classes="-chosen")

    def about(self) -> Iterable[Widget]:
        """What stands above the items."""
        return ()

    def on_mount(self) -> None:
        """Show the items; the cursor is on the first that can be chosen."""
        lines = self.query_one(LineList)
        lines.can_focus = False
        lines.show_rows([self._row(number, item) for number, item in enumerate(self._items.values())])
        free = (number for number, item in enumerate(self._items.values()) if not item.why_not)
        lines.cursor = next(free, 0)

    def _row(self, number: int, item: Item[T]) -> Row:
        label = f" {item.label:<{self._label}} " if self._label else " "
        if item.why_not:
            said = Cell(f"{item.key} {label}{item.help}", "dim")
            return Row(number, (said,), (Cell(item.why_not, "busy"),))
        return Row(number, (Cell(item.key, "strong"), Cell(f" {label}"), Cell(item.help, "dim")))

    def show_hint(self, hint: str) -> None:
        """Say something else at the lower edge."""
        self.query_one(".menu").border_subtitle = Text(hint)

    def on_key(self, event: events.Key) -> None:
        """An item's own key."""
        key = event.character or event.key
        if key in self._items:
            event.stop()
            event.prevent_default()
            self.query_one(LineList).cursor = list(self._items).index(key)
            self._take(key)

    def on_click(self, event: events.Click) -> None:
        """A click on an item takes it; one beside the menu closes it."""
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
        if self._items:
            self._take(list(self._items)[self.query_one(LineList).cursor or 0])

    def action_close(self) -> None:
        """None is wanted."""
        self.dismiss(None)

    def _take(self, key: str) -> None:
        item = self._items[key]
        if item.why_not:
            self.app.bell()
        elif not self._taken:
            self._taken = True
            self.dismiss(item.value)
