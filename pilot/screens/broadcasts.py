"""The tabs of broadcasts: what is asked before one opens, and their closing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual.app import App

from pilot.danger import Question
from pilot.live.broadcast import MOST
from pilot.live.cockpit import Cockpit
from pilot.records import Node
from pilot.render import broadcast as render
from pilot.render.nodes import in_order
from pilot.screens import acting
from pilot.screens.broadcast import BroadcastScreen
from pilot.screens.opened_tabs import OpenedTabs
from pilot.verbs import BY_ID
from pilot.widgets.confirm import ConfirmScreen


class Broadcasts(OpenedTabs[BroadcastScreen]):
    """Of one app. With this module comes the terminal engine: import it when the first is wanted."""

    KIND = "broadcast"

    def __init__(self, app: App[Any], cockpit: Cockpit, turns: asyncio.Lock) -> None:
        """None is open; `turns` are those of the app's consoles."""
        super().__init__(app, cockpit)
        self._turns = turns

    def ask(self, nodes: Sequence[Node], hidden: int = 0) -> None:
        """Ask, then open one. `hidden`: so many of the nodes are out of sight."""
        serial = [node for node in in_order(nodes) if node.serial]
        if reason := self._why_not(nodes, serial):
            self._cockpit.flash(f"Broadcast: {reason}.", "bad")
            return
        desk = self._cockpit.desk
        names = tuple(node.name or node.domain for node in serial)
        without = [node for node in nodes if not node.serial]
        words = render.consequence(serial, without)
        if hidden:
            words = f"{words} {hidden} of them are hidden by the filter."
        question = Question(
            "confirm", f"Type at {len(serial)} consoles at once?", "Type at all", words, names
        )

        def answered(yes: bool | None) -> None:
            if yes:
                screen = BroadcastScreen(self._cockpit, desk, self.new_mode(), serial, self._turns)
                self.add(screen)

        self._app.push_screen(ConfirmScreen(question), answered)

    def _why_not(self, nodes: Sequence[Node], serial: Sequence[Node]) -> str:
        if self._cockpit.readonly:
            return "this is a read-only look: leave out --readonly (or `readonly` in app.toml) to type"
        if reason := acting.why_not(self._cockpit, BY_ID["console.open"], nodes):
            return reason
        if len(serial) > MOST:
            return f"{len(serial)} consoles at once are too many, mark {MOST} at most"
        if len(serial) < 2:
            return "mark two nodes or more that have a serial console (space marks)"
        return ""
