"""`?`: the keys that work here, from the live bindings; and every verb, from the table of verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from pilot import going
from pilot.render.table import Cell
from pilot.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from textual.screen import Screen

FILTERS = (
    ("/text", "rows that match this regular expression, anywhere"),
    ("/!text", "rows that do not"),
    ("/state:on|hung", "rows whose STATE matches; several such terms must all fit"),
    ("/-l host=name", "rows with exactly this value; != for all but these, * stands for anything"),
    ("/-f cmp02", "fuzzy: the letters in this order"),
)
LINES = (
    (":nodes", "an area: nodes, activity, journal"),
    (":compute-0-1", "a node"),
    (":off compute-0-[0-3]", "a verb, for nodes"),
    (":cluster NAME", "one cluster; alone: all of yours; @NAME is the same"),
    (":site NAME", "another site"),
    (":filter NAME", "a saved filter; `:filter save NAME` saves the one that is set"),
    (":recordings", "the recordings of consoles; `:play ID` plays one, `:play NODE` the node's newest"),
    (":theme NAME", "dark, light, terminal, terminal-light"),
)
_ORDER = {"table": 1, "app": 2}
"""What comes behind the screen's own keys."""
_TAB_IDS = frozenset(f"app.tab-{number}" for number in range(1, 10))
_TABS = ("app.tab-1 … app.tab-9", "the tab of this number")


class HelpScreen(ModalScreen[None]):
    """Keys of the screen below, verbs, filters and `:` lines."""

    CSS_PATH = "help.tcss"
    BINDINGS = [
        Binding("escape,question_mark,q,enter", "dismiss", "close", key_display="Esc"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, about: Screen[None]) -> None:
        super().__init__()
        self._keys = _keys(about)

    def compose(self) -> ComposeResult:
        """The tables, scrollable."""
        with VerticalScroll(id="help") as box:
            box.border_title = "Keys"
            yield Static(_table("Here", self._keys))
            verbs = [(verb.key, f"{verb.label}: {verb.help}", verb.id) for verb in going.node_verbs()]
            yield Static(_table("Verbs, for the marked nodes or the one under the cursor", verbs))
            yield Static(_table("/ filters", [(key, words, "") for key, words in FILTERS]))
            yield Static(_table(": goes", [(key, words, "") for key, words in LINES]))
            last = CellLine()
            last.show([Cell("The names at the right are those for `[keys]` in app.toml.", "dim")])
            yield last

    def action_scroll(self, step: int) -> None:
        """A line up or down."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=step, animate=False)


def _keys(screen: Screen[None]) -> list[tuple[str, str, str]]:
    """Key, what it does, and its id for the keymap; one row an action, the screen's own first."""
    rows: dict[str, tuple[list[str], str, str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        # What has no id is Textual's own.
        if not binding.id or not binding.description or not active.enabled:
            continue
        name, words = _TABS if binding.id in _TAB_IDS else (binding.id, binding.description)
        shown = screen.app.get_key_display(binding)
        row = rows.setdefault(name, ([], words, name))
        if shown not in row[0]:
            row[0].append(shown)
    ordered = sorted(rows.values(), key=lambda row: _ORDER.get(row[2].split(".")[0], 0))
    return [(_joined(keys), words, name) for keys, words, name in ordered]


def _joined(keys: list[str]) -> str:
    return f"{keys[0]}-{keys[-1]}" if len(keys) > 4 else " ".join(keys)


def _table(heading: str, rows: list[tuple[str, str, str]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), title_justify="left", expand=True)
    table.title = Text(heading, "bold not italic")
    table.add_column(style="bold", min_width=12, no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(style="dim", no_wrap=True, justify="right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
