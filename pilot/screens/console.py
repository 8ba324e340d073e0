"""A console's tab: one terminal or two. All keys are the guest's until `Ctrl+]`, then letters are verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from textual import on, work
from textual.geometry import Size

from pilot.live.cockpit import Cockpit, Desk
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.render.natural import natural_key
from pilot.screens import acting, console_keys
from pilot.screens.console_acts import SAY, ConsoleActs
from pilot.screens.console_pane import ConsolePane
from pilot.widgets.prompt import Prompt
from pilot.widgets.terminal import TerminalWidget

PANES = 2
OFFERED = 50
"""Names that a line is completed to."""
_AROUND = 3
"""Lines around the terminal: tabs, status, and the last one."""
_KNOWN_FROM, _TITLE_FROM = 15, 30
"""Heights from which on there are just these, and from which on the title is there, too."""


class ConsoleScreen(ConsoleActs):
    """One tab of consoles."""

    CSS_PATH = ["base.tcss", "guest_tab.tcss", "console.tcss"]
    BINDINGS = console_keys.BINDINGS
    GLYPH = "⌁"
    AREA = "consoles"
    WORDS = console_keys.WORDS
    panes: list[ConsolePane]

    def __init__(
        self, cockpit: Cockpit, desk: Desk, mode: str, node: Node, how: Mode, turns: asyncio.Lock
    ) -> None:
        """The tab of this mode, with one node's console, opened `how`."""
        super().__init__(cockpit, desk, mode)
        self._turns = turns
        self.panes = [ConsolePane(cockpit, desk, node, how, turns, self.tell_news)]
        self.active = self.panes[0]

    def begin(self, size: Size) -> None:
        """Open the console while the tab is made, for the size that it will have in an app of this one."""
        if size.height >= _KNOWN_FROM:
            self.active.begin(size.width, size.height - _AROUND - (size.height >= _TITLE_FROM))

    @on(ConsolePane.Changed)
    def _pane_changed(self, event: ConsolePane.Changed) -> None:
        event.stop()
        if self.is_current:
            self.draw_line()
        self.tell_news()

    @on(TerminalWidget.ReleaseRequested)
    def _released(self, event: TerminalWidget.ReleaseRequested) -> None:
        event.stop()
        self.release()

    def action_other(self) -> None:
        """The other pane."""
        at = self.panes.index(self.active)
        self.active = self.panes[(at + 1) % len(self.panes)]
        self.active.terminal.focus()

    # --- looking ---------------------------------------------------------------------------------

    def action_look(self, pages: int) -> None:
        """Look back, or further down."""
        self.active.terminal.look_back(pages)

    def action_search(self) -> None:
        """Ask what to search for."""
        self.query_one(Prompt).ask("/")

    def action_next(self, step: int) -> None:
        """The next place that was found."""
        if not self.active.terminal.search_next(step):
            self.app.bell()

    def action_copy(self) -> None:
        """What is selected, or all that is in view."""
        terminal = self.active.terminal
        if not terminal.copy():
            terminal.copy_screen()

    @on(Prompt.Submitted)
    def _asked(self, event: Prompt.Submitted) -> None:
        if event.sign == "/":
            self.active.search(event.text)
        elif event.sign == SAY:
            self.say(event.text)
        elif event.sign == "|":
            self._split_with(event.text.strip())

    # --- the console -----------------------------------------------------------------------------

    # --- panes -----------------------------------------------------------------------------------

    def action_split(self) -> None:
        """A second console in this tab; with two, side by side or one above the other."""
        if len(self.panes) == PANES:
            self.toggle_class("-stacked")
            return
        open_here = {pane.node.id for pane in self.panes}
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
        pane = ConsolePane(self.cockpit, self._desk, node, "write", self._turns, self.tell_news)
        self.panes.append(pane)
        self.add_class("-split")
        await self.query_one("#panes").mount(pane)
        self.name_tab()
        pane.terminal.focus()

    def action_close(self) -> None:
        """Leave the console; the tab is closed with the last."""
        if len(self.panes) == 1:
            self.post_message(acting.TabClosed(self.MODE))
        else:
            self._remove(self.active)

    @work(exclusive=True, group="panes")
    async def _remove(self, pane: ConsolePane) -> None:
        self.panes.remove(pane)
        self.active = self.panes[0]
        self.active.terminal.focus()
        self.remove_class("-split", "-stacked")
        await pane.remove()
        self.name_tab()
