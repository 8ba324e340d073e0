"""A console's tab: one terminal or two. All keys are the guest's until `Ctrl+]`, then letters are verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from textual import on, work
from textual.containers import Container
from textual.geometry import Size
from textual.widget import Widget

from pilot.console import keys
from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.render.natural import natural_key
from pilot.render.table import Cell
from pilot.screens import acting, console_keys
from pilot.screens.base import TabChosen
from pilot.screens.console_acts import SAY, ConsoleActs
from pilot.screens.console_pane import ConsolePane
from pilot.widgets.cell_line import CellLine
from pilot.widgets.prompt import Prompt
from pilot.widgets.terminal import TerminalWidget

PANES = 2
OFFERED = 50
"""Names that a line is completed to."""
_AROUND = 3
"""Lines around the terminal: tabs, status, and the last one."""
_KNOWN_FROM, _TITLE_FROM = 15, 30
"""Heights from which on there are just these, and from which on the title is there, too."""
TWICE_SECONDS = 1.0
"""Two presses of the release key so close to each other are one to the guest."""


class ConsoleScreen(ConsoleActs):
    """One tab of consoles."""

    CSS_PATH = ["base.tcss", "console.tcss"]
    ESCAPE_TO_MINIMIZE = False
    AUTO_FOCUS = ""
    BINDINGS = console_keys.BINDINGS

    def __init__(
        self, cockpit: Cockpit, desk: Desk, mode: str, node: Node, how: Mode, turns: asyncio.Lock
    ) -> None:
        """The tab of this mode, with one node's console, opened `how`."""
        super().__init__(cockpit, desk)
        self.MODE = mode
        self._turns = turns
        self._panes = [ConsolePane(cockpit, desk, node, how, turns, self._tell_news)]
        self._active = self._panes[0]
        self._covered = False
        self._released_at = float("-inf")

    def body(self) -> Iterable[Widget]:
        """The panes, and the line that says how to leave."""
        yield Container(*self._panes, id="panes")
        yield CellLine(id="typing")

    def on_mount(self) -> None:
        """Type at once."""
        self._active.terminal.focus()

    def on_screen_suspend(self) -> None:
        """Another tab is shown, or a dialog above this one."""
        stack = self.app.screen_stack
        self._covered = len(stack) > 1 and stack[0] is self

    def on_screen_resume(self) -> None:
        """Shown again: there is no news, and one types on; but not because a dialog was closed."""
        # Verbs and words here are for this site, whichever was looked at last.
        self.cockpit.sites.switch(self._desk.live.site.name)
        self._name_tab()
        if not self._covered:
            self._active.terminal.focus()
        self._covered = False

    def begin(self, size: Size) -> None:
        """Open the console while the tab is made, for the size that it will have in an app of this one."""
        if size.height >= _KNOWN_FROM:
            self._active.begin(size.width, size.height - _AROUND - (size.height >= _TITLE_FROM))

    @property
    def panes(self) -> Sequence[ConsolePane]:
        """The consoles, first the one at the left or on top."""
        return self._panes

    def show_console(self, desk: Desk, node: Node) -> bool:
        """Put the console of a node forward; False if it is not here."""
        for pane in self._panes:
            if desk is self._desk and pane.node.id == node.id:
                self._active = pane
                return True
        return False

    def targets(self) -> Sequence[Node]:
        """The node that verbs are for."""
        return (self._active.node,)

    def focus_body(self) -> None:
        """After a question: released, as before it."""
        self.set_focus(None)

    def crumbs(self) -> Sequence[Cell]:
        """Where one is."""
        return [Cell(f"consoles › {self._active.session.name}", "dim")]

    # --- what is said ----------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, and the panes' status."""
        super().show_frame()
        if self.is_mounted:
            for pane in self._panes:
                pane.show_status()
            self._draw_line()

    def _draw_line(self) -> None:
        """The last line: how to leave and what was told, or the keys that work; of two panes, whose."""
        for pane in self._panes:
            pane.set_class(pane is self._active and len(self._panes) > 1, "-active")
        said = self._active.said()
        if self._active.typing and not said:
            leave = self._active.leave_words
            room = self.query_one("#typing", CellLine).content_size.width or self.size.width - 2
            then = console_keys.then(room - len(leave) - len(" leaves"), self._can)
            said = [Cell(leave, "strong"), Cell(" leaves"), Cell(then, "dim")]
        self.query_one("#typing", CellLine).show(said)
        self.set_class(bool(said), "-saying")
        self.refresh_bindings()

    def _can(self, action: str) -> bool:
        return bool(self.check_action(action, ()))

    def _name_tab(self, news: bool = False) -> None:
        names = " ┃ ".join(pane.session.name for pane in self._panes)
        self.cockpit.open_tab(Opened(self.MODE, f"⌁ {names}", news))

    @on(ConsolePane.Changed)
    def _pane_changed(self, event: ConsolePane.Changed) -> None:
        event.stop()
        if self.is_current:
            self._draw_line()
        self._tell_news()

    def _tell_news(self) -> None:
        if not self.is_mounted or self.app.current_mode == self.MODE:
            return
        known = next((tab for tab in self.cockpit.opened if tab.mode == self.MODE), None)
        if known is not None and not known.news:
            self._name_tab(news=True)

    # --- typing ----------------------------------------------------------------------------------

    def on_descendant_focus(self) -> None:
        """Who is typed at."""
        self._focus_changed()

    def on_descendant_blur(self) -> None:
        """Nobody is."""
        self._focus_changed()

    def _focus_changed(self) -> None:
        for pane in self._panes:
            pane.set_class(pane.typing, "-typing")
            if pane.typing:
                self._active = pane
        if self.is_mounted:
            self._draw_line()

    @on(TerminalWidget.ReleaseRequested)
    def _released(self, event: TerminalWidget.ReleaseRequested) -> None:
        event.stop()
        self.set_focus(None)
        self._released_at = self.cockpit.monotonic()

    def action_literal(self) -> None:
        """The release key twice in a row is for the guest. Later there is nothing to release."""
        if self.cockpit.monotonic() - self._released_at > TWICE_SECONDS:
            return
        terminal = self._active.terminal
        terminal.send(keys.encode(terminal.release_key, None, terminal.engine.modes) or b"")
        self.action_type()

    def action_other(self) -> None:
        """The other pane."""
        at = self._panes.index(self._active)
        self._active = self._panes[(at + 1) % len(self._panes)]
        self._active.terminal.focus()

    # --- looking ---------------------------------------------------------------------------------

    def action_look(self, pages: int) -> None:
        """Look back, or further down."""
        self._active.terminal.look_back(pages)

    def action_search(self) -> None:
        """Ask what to search for."""
        self.query_one(Prompt).ask("/")

    def action_next(self, step: int) -> None:
        """The next place that was found."""
        if not self._active.terminal.search_next(step):
            self.app.bell()

    def action_copy(self) -> None:
        """What is selected, or all that is in view."""
        terminal = self._active.terminal
        if not terminal.copy():
            terminal.copy_screen()

    @on(Prompt.Submitted)
    def _asked(self, event: Prompt.Submitted) -> None:
        if event.sign == "/":
            self._active.search(event.text)
        elif event.sign == SAY:
            self.say(event.text)
        elif event.sign == "|":
            self._split_with(event.text.strip())

    # --- the console -----------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        can = self._active.can(action)
        return super().check_action(action, parameters) if can is None else can

    # --- panes -----------------------------------------------------------------------------------

    def action_split(self) -> None:
        """A second console in this tab; with two, side by side or one above the other."""
        if len(self._panes) == PANES:
            self.toggle_class("-stacked")
            return
        open_here = {pane.node.id for pane in self._panes}
        others = [node for node in self._with_console() if node.name and node.id not in open_here]
        names = sorted((node.name for node in others), key=natural_key)
        self.query_one(Prompt).ask("|", "", lambda text: [n for n in names if n.startswith(text)][:OFFERED])

    def _split_with(self, name: str) -> None:
        node = next((node for node in self._with_console() if node.name == name), None)
        if node is not None:
            self.add_pane(node)
        elif name:
            self.cockpit.flash(f"There is no node '{name}' with a serial console here.", "bad")

    def _with_console(self) -> Iterator[Node]:
        return (node for node in self._desk.nodes() if node.serial)

    @work(exclusive=True, group="panes")
    async def add_pane(self, node: Node) -> None:
        """Show this node's console beside the one that is there."""
        pane = ConsolePane(self.cockpit, self._desk, node, "write", self._turns, self._tell_news)
        self._panes.append(pane)
        self.add_class("-split")
        await self.query_one("#panes").mount(pane)
        self._name_tab()
        pane.terminal.focus()

    def action_close(self) -> None:
        """Leave the console; the tab is closed with the last."""
        if len(self._panes) == 1:
            self.post_message(acting.TabClosed(self.MODE))
        else:
            self._remove(self._active)

    @work(exclusive=True, group="panes")
    async def _remove(self, pane: ConsolePane) -> None:
        self._panes.remove(pane)
        self._active = self._panes[0]
        self._active.terminal.focus()
        self.remove_class("-split", "-stacked")
        await pane.remove()
        self._name_tab()

    def action_back(self) -> None:
        """To the nodes; the consoles stay open."""
        self.post_message(TabChosen("nodes"))
