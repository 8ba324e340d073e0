"""A screen with one table, and the `/` line that narrows it while it is typed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from textual import on

from pilot.errors import PilotError, UsageError
from pilot.filtering import Filter
from pilot.live.cockpit import Cockpit
from pilot.screens.base import PilotScreen
from pilot.widgets.prompt import Prompt
from pilot.widgets.table import Place


class Rows(Protocol):
    """What has rows that a filter narrows: a table, or a wall."""

    @property
    def shown(self) -> Sequence[str]:
        """Keys of the rows that pass the filter."""

    @property
    def total(self) -> int:
        """How many there are, hidden ones too."""

    @property
    def marks(self) -> frozenset[str]:
        """Keys of the marked rows."""

    def row(self, key: str, /) -> Any:
        """A row, hidden or not; None if there is none."""

    def targets(self) -> list[str]:
        """What a verb acts on."""

    def filter(self, passes: Callable[[Any], bool] | None, /) -> None:
        """Show the rows that pass only."""

    def place(self) -> Place:
        """Where the user is."""

    def return_to(self, place: Place, /) -> None:
        """Back to there."""

    def focus(self, scroll_visible: bool = True) -> Any:
        """Have the keys."""


class FilteredScreen(PilotScreen):
    """Those that derive from it say what a filter means for their rows."""

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._filter_text = ""
        self._filter_before = ""
        self._place_before: Place | None = None

    @property
    def table(self) -> Rows:
        """The table."""
        raise NotImplementedError

    @property
    def filter_text(self) -> str:
        """The filter that is set."""
        return self._filter_text

    def parse_filter(self, text: str) -> tuple[Filter, Callable[[Any], bool]]:
        """The filter, and whether a row passes it.

        Raises:
            UsageError: it is not understood.
        """
        raise NotImplementedError

    def draw_filter(self) -> None:
        """Draw what is set, and how many rows pass."""

    def focus_body(self) -> None:
        """The table has the keys."""
        self.table.focus()

    def set_filter(self, text: str) -> None:
        """Show the rows that fit only.

        Raises:
            UsageError: the filter is not understood; the one before stays.
        """
        parsed, passes = self.parse_filter(text)
        self.table.filter(None if parsed.empty else passes)
        self._filter_text = parsed.text
        self.draw_filter()

    def try_filter(self, text: str) -> bool:
        """The same; of one that is not understood it is said why. Whether it is set."""
        try:
            self.set_filter(text)
        except PilotError as error:
            self.cockpit.flash_error(error)
            return False
        return True

    def action_filter(self) -> None:
        """Open the `/` line."""
        self._filter_before, self._place_before = self._filter_text, self.table.place()
        self.query_one(Prompt).ask("/", self._filter_text)

    @on(Prompt.Changed)
    def _filter_typed(self, event: Prompt.Changed) -> None:
        # What ends the line derives from what changes it.
        if event.sign != "/" or type(event) is not Prompt.Changed:
            return
        try:
            self.set_filter(event.text)
        except UsageError as error:
            self.query_one(Prompt).note(f"{error.message}. {error.hint}", bad=True)
        else:
            self.query_one(Prompt).note(f"{len(self.table.shown)} of {self.table.total}")

    @on(Prompt.Submitted)
    def _filter_entered(self, event: Prompt.Submitted) -> None:
        if event.sign == "/" and not self.try_filter(event.text):
            self.try_filter(self._filter_before)

    @on(Prompt.Cancelled)
    def _filter_left(self, event: Prompt.Cancelled) -> None:
        if event.sign == "/" and self.try_filter(self._filter_before) and self._place_before is not None:
            self.table.return_to(self._place_before)
