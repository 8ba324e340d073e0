"""The tabs of consoles: opened, found again, closed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from textual.app import App

from pilot.live.cockpit import Cockpit, Desk
from pilot.live.feeding import SWITCH_SECONDS
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.screens.console import ConsoleScreen
from pilot.screens.opened_tabs import OpenedTabs


class Consoles(OpenedTabs[ConsoleScreen]):
    """Of one app. With this module comes the terminal engine: import it when the first console opens."""

    KIND = "console"

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        """None is open."""
        sys.setswitchinterval(SWITCH_SECONDS)
        super().__init__(app, cockpit)
        self.turns = asyncio.Lock()
        """Who holds it parses what a guest printed."""

    def open(self, desk: Desk, node: Node, how: Mode) -> None:
        """Show a node's console: its tab, which is made if there is none."""
        if not self._app.is_running or self.shown(desk, node):
            return
        screen = ConsoleScreen(self._cockpit, desk, self.new_mode(), node, how, self.turns)
        # Textual takes a new screen for one that an older theme has styled, and reads all style sheets anew,
        # twice: a fourth of the time that a console takes to open.
        screen._css_update_count = self._app._css_update_count  # noqa: SLF001
        screen.begin(self._app.size)
        self.add(screen)
