"""A tab in which one types at guests: all keys are theirs until `Ctrl+]`, then letters are verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from textual.containers import Container
from textual.widget import Widget

from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.records import Node
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.base import PilotScreen, TabChosen
from pilot.screens.power_menu import PowerMenu
from pilot.verbs import Verb
from pilot.widgets.cell_line import CellLine

TWICE_SECONDS = 1.0
"""Two presses of the release key so close to each other are one to the guest."""
Words = Sequence[tuple[str, str]]
"""What to say of keys, the most wanted first, each with the action without which it is not said."""
_LAST = "? keys"


class GuestPane(Protocol):
    """What such a tab shows of one guest; it is a widget."""

    @property
    def node(self) -> Node:
        """The node as it is known now."""

    @property
    def title(self) -> str:
        """What the node is called."""

    @property
    def typing(self) -> bool:
        """Whether keys go to the guest."""

    @property
    def leave_words(self) -> str:
        """The release key as people write it."""

    def take_keys(self) -> None:
        """Keys go to the guest from now on."""

    def type_release_key(self) -> None:
        """The guest gets the release key itself."""

    def show_status(self) -> None:
        """Draw the status line as things are now."""

    def said(self) -> list[Cell]:
        """What is to be said now instead of the keys."""

    def can(self, action: str) -> bool | None:
        """Whether an action of the tab makes sense now; None if it always does."""

    def set_class(self, add: bool, *names: str) -> Any: ...


class GuestTab(PilotScreen):
    """One tab. Those that derive from it make its panes before it is shown."""

    ESCAPE_TO_MINIMIZE = False
    AUTO_FOCUS = ""
    GLYPH = ""
    """Before the nodes' names in the tab's title."""
    AREA = ""
    """What its panes are, for the crumbs."""
    WORDS: Words = ()

    panes: Sequence[GuestPane]
    active: GuestPane

    def __init__(self, cockpit: Cockpit, desk: Desk, mode: str) -> None:
        """The tab of this mode, for nodes of a desk."""
        super().__init__(cockpit)
        self.MODE = mode
        self._desk = desk
        self._covered = False
        self._released_at = float("-inf")

    def body(self) -> Iterable[Widget]:
        """The panes, and the line that says how to leave."""
        yield Container(*self.panes, id="panes")  # type: ignore[arg-type] # a protocol cannot be a widget
        yield CellLine(id="typing")

    def on_mount(self) -> None:
        """Type at once."""
        self.active.take_keys()

    def on_screen_suspend(self) -> None:
        """Another tab is shown, or a dialog above this one."""
        stack = self.app.screen_stack
        self._covered = len(stack) > 1 and stack[0] is self
        if not self._covered:
            self.looked_at(False)

    def on_screen_resume(self) -> None:
        """Shown again: there is no news, and one types on; but not because a dialog was closed."""
        # Verbs and words here are for this site, whichever was looked at last.
        self.cockpit.sites.switch(self._desk.live.site.name)
        self.name_tab()
        self.looked_at(True)
        if not self._covered:
            self.active.take_keys()
        self._covered = False

    def looked_at(self, looked: bool) -> None:
        """The tab is shown from now on, or another one is."""

    def show_node(self, desk: Desk, node: Node) -> bool:
        """Put the pane of a node forward; False if it is not here."""
        for pane in self.panes:
            if desk is self._desk and pane.node.id == node.id:
                self.active = pane
                return True
        return False

    def targets(self) -> Sequence[Node]:
        """The node that verbs are for."""
        return (self.active.node,)

    def focus_body(self) -> None:
        """After a question: released, as before it."""
        self.set_focus(None)

    def crumbs(self) -> Sequence[Cell]:
        """Where one is."""
        return [Cell(f"{self.AREA} › {self.active.title}", "dim")]

    # --- what is said ----------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, and the panes' status."""
        super().show_frame()
        if self.is_mounted:
            for pane in self.panes:
                pane.show_status()
            self.draw_line()

    def draw_line(self) -> None:
        """The last line: how to leave and what was told, or the keys that work; of two panes, whose."""
        for pane in self.panes:
            pane.set_class(pane is self.active and len(self.panes) > 1, "-active")
        said, right = self.active.said(), self.quietly()
        if self.active.typing and not said:
            leave = self.active.leave_words
            room = self.query_one("#typing", CellLine).content_size.width or self.size.width - 2
            room -= len(leave) + len(" leaves") + sum(len(cell.text) for cell in right) + bool(right)
            said = [Cell(leave, "strong"), Cell(" leaves"), Cell(then(self.WORDS, room, self._can), "dim")]
        self.query_one("#typing", CellLine).show(said, right if said else ())
        self.set_class(bool(said), "-saying")
        self.refresh_bindings()

    def quietly(self) -> Sequence[Cell]:
        """What stands at the right of the last line."""
        return ()

    def _can(self, action: str) -> bool:
        return bool(self.check_action(action, ()))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        can = self.active.can(action)
        return super().check_action(action, parameters) if can is None else can

    def name_tab(self, news: bool = False) -> None:
        """Say in the tab strip what is here, and whether there is news."""
        names = " ┃ ".join(pane.title for pane in self.panes)
        self.cockpit.open_tab(Opened(self.MODE, f"{self.GLYPH} {names}", news))

    def tell_news(self) -> None:
        """Something has happened here: the tab says so while another one is looked at."""
        if not self.is_mounted or self.app.current_mode == self.MODE:
            return
        known = next((tab for tab in self.cockpit.opened if tab.mode == self.MODE), None)
        if known is not None and not known.news:
            self.name_tab(news=True)

    # --- typing ----------------------------------------------------------------------------------

    def on_descendant_focus(self) -> None:
        """Who is typed at."""
        self._focus_changed()

    def on_descendant_blur(self) -> None:
        """Nobody is."""
        self._focus_changed()

    def _focus_changed(self) -> None:
        for pane in self.panes:
            pane.set_class(pane.typing, "-typing")
            if pane.typing:
                self.active = pane
        if self.is_mounted:
            self.draw_line()

    def release(self) -> None:
        """Keys are verbs from now on."""
        self.set_focus(None)
        self._released_at = self.cockpit.monotonic()

    def action_type(self) -> None:
        """Keys go to the guest again."""
        self.active.take_keys()

    def action_literal(self) -> None:
        """The release key twice in a row is for the guest. Later there is nothing to release."""
        if self.cockpit.monotonic() - self._released_at <= TWICE_SECONDS:
            self.active.type_release_key()
            self.action_type()

    # --- the node --------------------------------------------------------------------------------

    def why_not(self, verb: Verb) -> str:
        """Why a verb would be refused for the node; empty if it would not."""
        return self._desk.activities.why_not(verb, (self.active.node.cluster,), (self.active.node,))

    def action_power(self) -> None:
        """The menu of power verbs."""
        node = self.active.node

        def chosen(verb: Verb | None) -> None:
            if verb is not None:
                self.post_message(acting.VerbChosen(verb, (node,)))

        self.app.push_screen(PowerMenu((node,), self.why_not), chosen)

    def action_close(self) -> None:
        """Leave what is here, and the tab."""
        self.post_message(acting.TabClosed(self.MODE))

    def action_back(self) -> None:
        """To the nodes; what is here stays open."""
        self.post_message(TabChosen("nodes"))


def then(words: Words, room: int, can: Callable[[str], bool]) -> str:
    """What the keys do once the guest is left, as much of it as there is room for."""
    said = ["   then"]
    for what, action in words:
        if (not action or can(action)) and len("  ".join([*said, what, _LAST])) <= room:
            said.append(what)
    return "  ".join([*said, _LAST])
