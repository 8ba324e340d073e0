"""The tabs that the user opened: made, found again, closed."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual.app import App

from pilot.live.cockpit import Cockpit, Opened
from pilot.records import Node
from pilot.screens.base import PilotScreen

Tab = TypeVar("Tab", bound=PilotScreen)


class OpenedTabs(Generic[Tab]):
    """Those of one kind, of one app."""

    KIND = ""
    """What the names of their modes begin with."""
    GLYPH = ""

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        """None is open."""
        self._app = app
        self._cockpit = cockpit
        self._screens: dict[str, Tab] = {}
        self._count = 0

    def new_mode(self) -> str:
        """The mode of the next tab."""
        self._count += 1
        return f"{self.KIND}-{self._count}"

    def add(self, screen: Tab, node: Node) -> None:
        """Show a tab that was made just now."""
        mode = screen.MODE
        self._screens[mode] = screen
        self._app.add_mode(mode, lambda: screen)
        self._cockpit.open_tab(Opened(mode, f"{self.GLYPH} {node.name or node.domain}"))
        self._app.switch_mode(mode)

    def close(self, mode: str) -> None:
        """Leave what is in a tab."""
        if self._screens.pop(mode, None) is None:
            return
        modes = [tab.mode for tab in self._cockpit.opened]
        others = [other for other in modes if other != mode]
        at = modes.index(mode) if mode in modes else 0
        self._cockpit.close_tab(mode)
        if self._app.current_mode == mode:
            self._app.switch_mode(others[min(at, len(others) - 1)] if others else "nodes")
        self._app.remove_mode(mode)
