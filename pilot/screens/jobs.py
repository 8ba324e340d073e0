"""HTCondor jobs run on nodes that are to be turned off: whether they end first, or die."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget
from textual.widgets import Static

from pilot.danger import Stake
from pilot.records import Node
from pilot.screens.verb_menu import Item, KeyMenu, whom
from pilot.verbs import Verb


class JobsScreen(KeyMenu[str]):
    """`drain` or `anyway`, as the verb's arguments are called; None if nothing is wanted."""

    DEFAULT_CSS = """
    JobsScreen .about { height: auto; margin-bottom: 1; }
    """

    def __init__(self, verb: Verb, nodes: Sequence[Node], stake: Stake) -> None:
        later = "done" if verb.leads_to != "off" else "turned off"
        them = "it has" if stake.count == 1 else "they have"
        offered = "" if stake.undrainable else f"no new jobs, and {later} once {them} ended"
        items = [
            Item("d", "drain first", offered, "drain", stake.undrainable),
            Item("a", "anyway", f"now: {stake.words}", "anyway"),
        ]
        super().__init__(f"{verb.label.capitalize()} {whom(nodes)}: {stake.words}", items, "Esc nothing")
        self._lines = stake.jobs

    def about(self) -> Iterable[Widget]:
        """The jobs."""
        yield Static("\n".join(self._lines), classes="about", markup=False)
