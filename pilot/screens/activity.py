"""What was asked in the app: the list, newest first, and all that is known of the one under the cursor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.events import Resize
from textual.widget import Widget

from pilot.asked import Activity
from pilot.errors import PilotError
from pilot.live.activity import Activities
from pilot.render.activity import details, empty, line
from pilot.render.table import Cell
from pilot.screens.base import PilotScreen
from pilot.widgets.lines import LineList, Lines, Row

_TICK_SECONDS = 0.5
_SIDE_BY_SIDE = 120
"""From so many columns on, the details are beside the list instead of below it."""


class ActivityPane(Vertical):
    """The list and the details, for any screen."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    BINDINGS = [
        Binding("space", "page(1)", "more", id="activity.more"),
        Binding("b", "page(-1)", "back", show=False, id="activity.back"),
    ]

    def __init__(
        self,
        activities: Activities,
        *,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.activities = activities
        self._clock = clock
        self._unlisten: Callable[[], None] = lambda: None
        self._due = False
        self._ended: dict[int, Row] = {}

    def compose(self) -> ComposeResult:
        """The list, and what is known of one."""
        with VerticalScroll(classes="list", can_focus=False):
            yield LineList()
        with VerticalScroll(classes="details", can_focus=False):
            yield Lines()

    def on_mount(self) -> None:
        """Follow, and let times go on."""
        self.set_interval(_TICK_SECONDS, self._tick)
        self.follow(self.activities)

    def on_unmount(self) -> None:
        """Follow no more."""
        self._unlisten()

    def on_resize(self, event: Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= _SIDE_BY_SIDE, "-wide")
        self._soon()

    def focus(self, scroll_visible: bool = True) -> ActivityPane:
        """The list has the keys."""
        self.query_one(LineList).focus(scroll_visible)
        return self

    @property
    def selected(self) -> Activity | None:
        """What the cursor is on."""
        key = self.query_one(LineList).cursor
        return None if key is None else self.activities.find(key)

    def follow(self, activities: Activities) -> None:
        """Show these from now on, such as those of another site."""
        self._unlisten()
        self.activities = activities
        self._ended = {}
        self._unlisten = activities.changed.listen(self._soon)
        self._soon()

    def _soon(self) -> None:
        """Many changes at once are drawn once."""
        if not self._due and self.is_running:
            self._due = True
            self.call_later(self._redraw)

    def _redraw(self) -> None:
        self._due = False
        if self.is_attached:
            now = self._clock()
            self.query_one(LineList).show_rows([self._row(one, now) for one in self.activities.entries])
            self._redraw_details(now)

    def _tick(self) -> None:
        """Only what is held, under way or still to be undone looks different a moment later."""
        if self.activities.open or self.activities.next_undo():
            self._soon()

    def _redraw_details(self, now: float) -> None:
        pane, selected = self.query_one(".details Lines", Lines), self.selected
        width = pane.content_size.width or self.size.width - 2
        pane.show(details(selected, now, width) if selected is not None else empty(width))

    def _row(self, activity: Activity, now: float) -> Row:
        """Its line; of what has ended and cannot be undone it is made once."""
        row = self._ended.get(activity.id)
        if row is None:
            undoable = self.activities.undoable(activity)
            said = line(activity, now, undoable)
            row = Row(activity.id, said.left, said.right)
            if not activity.open and not undoable and not (activity.verb.inverse and not activity.undone):
                self._ended[activity.id] = row
        return row

    def on_line_list_moved(self, event: LineList.Moved) -> None:
        """The details are those of the line under the cursor."""
        event.stop()
        self.query_one(".details", VerticalScroll).scroll_home(animate=False)
        self._redraw_details(self._clock())

    def undo(self) -> Activity | None:
        """Take back what the cursor is on if that can be, else what can be.

        Raises:
            as `Activities.undo`.
        """
        selected = self.selected
        chosen = selected if selected is not None and self.activities.undoable(selected) else None
        return self.activities.undo(chosen)

    def action_page(self, direction: int) -> None:
        """More of the details."""
        pane = self.query_one(".details", VerticalScroll)
        pane.scroll_relative(y=direction * max(1, pane.size.height - 1), animate=False)


class ActivityScreen(PilotScreen):
    """The activities of the site that is looked at."""

    MODE = "activity"

    def body(self) -> Iterable[Widget]:
        """The pane."""
        yield ActivityPane(self.cockpit.desk.activities, clock=self.cockpit.clock)

    def crumbs(self) -> Sequence[Cell]:
        """How many there are."""
        activities = self.cockpit.desk.activities
        under_way = f", {len(activities.open)} under way" if activities.open else ""
        return (Cell(f"{len(activities.entries)} asked{under_way}", "dim"),)

    def on_mount(self) -> None:
        """The list has the keys."""
        self.query_one(ActivityPane).focus()

    def show_frame(self) -> None:
        """The activities are those of the site at hand."""
        super().show_frame()
        if self.is_mounted:
            pane, activities = self.query_one(ActivityPane), self.cockpit.desk.activities
            if pane.activities is not activities:
                pane.follow(activities)

    def action_undo(self) -> None:
        """Take back what the cursor is on, or else what can be."""
        try:
            undone = self.query_one(ActivityPane).undo()
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        if undone is None:
            self.cockpit.flash("There is nothing that can be undone.", "dim")
