"""Who is at a console, and what one may do with the keyboard: take, share, hand over, give back."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from pilot.live.console import ConsoleSession
from pilot.render import people as render
from pilot.render.table import Cell
from pilot.widgets.cell_line import CellLine
from pilot.widgets.lines import LineList, Row


class PeopleScreen(ModalScreen[bool]):
    """A list of people that follows who comes and goes. Gives whether something is to be said to them."""

    CSS_PATH = "people.tcss"
    AUTO_FOCUS = ""
    BINDINGS = [
        Binding("escape,q,w", "close", "close", key_display="Esc"),
        Binding("t", "take", "take the keyboard"),
        Binding("j", "join", "type too"),
        Binding("g", "release", "give it back"),
        Binding("h,enter", "hand_over", "hand it over", key_display="h"),
        Binding("m", "say", "message"),
        Binding("up,k", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
    ]

    def __init__(self, session: ConsoleSession, may_write: bool, clock: Callable[[], float]) -> None:
        """`may_write`: whether the user may have the keyboard at all."""
        super().__init__()
        self._session = session
        self._may_write = may_write
        self._clock = clock
        self._seen = False

    def compose(self) -> ComposeResult:
        """The list, and what may be done."""
        with Vertical(id="people") as box:
            box.border_title = Text(f"At {self._session.name}")
            with VerticalScroll(can_focus=False):
                yield LineList(classes="-chosen")
            yield CellLine(id="people-keys")

    def on_mount(self) -> None:
        """Follow who is there."""
        self.query_one(LineList).can_focus = False
        self._unlisten = self._session.changed.listen(self._changed)
        self.set_interval(1.0, self._draw)
        self._draw()

    def on_unmount(self) -> None:
        """Follow no more."""
        self._unlisten()

    def _changed(self) -> None:
        self.call_later(self._draw)

    def _draw(self) -> None:
        if not self.is_attached:
            return
        people, now = self._session.people, self._clock()
        lines = self.query_one(LineList)
        if people is None:
            state = self._session.state
            said = (
                "nobody is known: the console is " + state
                if state != "live"
                else "airboss has not said it yet"
            )
            lines.show_rows([Row(0, [Cell(said, "dim")])])
        else:
            lines.show_rows(
                [Row(person.id, *render.row(people, person, now)) for person in people.presence.people]
            )
            if not self._seen and people.others:
                self._seen, lines.cursor = True, people.others[0].id
        keys = [
            words
            for action, words in (
                ("take", "t take it"),
                ("join", "j type too"),
                ("hand_over", "h hand over"),
                ("release", "g give back"),
                ("say", "m message"),
            )
            if self.check_action(action, ())
        ]
        self.query_one("#people-keys", CellLine).show([Cell("  ".join([*keys, "Esc close"]), "dim")])
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        session = self._session
        live = session.state == "live"
        others = session.people.others if session.people is not None else ()
        if action == "take":
            alone = session.writing and not any(person.writing for person in others)
            return live and self._may_write and not alone
        if action == "join":
            return live and self._may_write and not session.writing
        if action == "release":
            return live and session.writing
        if action == "hand_over":
            return live and session.writing and any(person.may_write for person in others)
        if action == "say":
            return live
        return True

    def action_take(self) -> None:
        """For oneself alone."""
        self._session.take()

    def action_join(self) -> None:
        """Beside who types."""
        self._session.join()

    def action_release(self) -> None:
        """To whoever waits for it."""
        self._session.release()

    def action_hand_over(self) -> None:
        """To the one under the cursor."""
        people = self._session.people
        chosen = people.find(self.query_one(LineList).cursor or 0) if people is not None else None
        if chosen is None or people is None or chosen.id == people.presence.you or not chosen.may_write:
            self.app.bell()
            return
        self._session.release(chosen.id)

    def action_say(self) -> None:
        """Something to all."""
        self.dismiss(True)

    def action_move(self, by: int) -> None:
        """Another one."""
        self.query_one(LineList).action_move(by)

    def action_close(self) -> None:
        """Seen."""
        self.dismiss(False)
