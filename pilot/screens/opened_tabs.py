"""The tabs that the user opened: made, found again, closed."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual.app import App

from pilot.live.cockpit import Cockpit, Desk
from pilot.records import Node
from pilot.screens.guest_tab import GuestTab

Tab = TypeVar("Tab", bound=GuestTab)


class OpenedTabs(Generic[Tab]):
    """Those of one kind, of one app."""

    KIND = ""
    """What the names of their modes begin with."""

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

    def shown(self, desk: Desk, node: Node) -> bool:
        """Show the tab that has the node; False if none has it."""
        for mode, screen in self._screens.items():
            if screen.show_node(desk, node):
                self._app.switch_mode(mode)
                return True
        return False

    def add(self, screen: Tab) -> None:
        """Show a tab that was made just now."""
        mode = screen.MODE
        self._screens[mode] = screen
        self._app.add_mode(mode, lambda: screen)
        screen.name_tab()
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
