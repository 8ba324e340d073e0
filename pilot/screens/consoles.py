"""The tabs of consoles: opened, found again, closed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from textual.app import App

from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.live.feeding import SWITCH_SECONDS
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.screens.console import ConsoleScreen


class Consoles:
    """Of one app. With this module comes the terminal engine: import it when the first console opens."""

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        """None is open."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._app = app
        self._cockpit = cockpit
        self._screens: dict[str, ConsoleScreen] = {}
        self._turns = asyncio.Lock()
        self._count = 0

    def open(self, desk: Desk, node: Node, how: Mode) -> None:
        """Show a node's console: its tab, which is made if there is none."""
        for mode, screen in self._screens.items():
            if screen.show_console(desk, node):
                self._app.switch_mode(mode)
                return
        self._count += 1
        mode = f"console-{self._count}"
        screen = ConsoleScreen(self._cockpit, desk, mode, node, how, self._turns)
        self._screens[mode] = screen
        screen.begin(self._app.size)
        self._app.add_mode(mode, lambda: screen)
        self._cockpit.open_tab(Opened(mode, f"⌁ {node.name or node.domain}"))
        self._app.switch_mode(mode)

    def close(self, mode: str) -> None:
        """Leave the consoles of a tab."""
        if self._screens.pop(mode, None) is None:
            return
        modes = [tab.mode for tab in self._cockpit.opened]
        others = [other for other in modes if other != mode]
        at = modes.index(mode) if mode in modes else 0
        self._cockpit.close_tab(mode)
        if self._app.current_mode == mode:
            self._app.switch_mode(others[min(at, len(others) - 1)] if others else "nodes")
        self._app.remove_mode(mode)
