"""The tabs of screens: opened, found again, closed."""

from __future__ import annotations

import threading
from typing import Any

from textual.app import App

from pilot.live.cockpit import Cockpit, Desk
from pilot.records import Node
from pilot.screens.opened_tabs import OpenedTabs
from pilot.screens.picture import PictureTab
from pilot.screens.screen import ScreenTab
from pilot.screens.screen_look import Means
from pilot.vnc.text import Fonts
from pilot.widgets.graphics import TerminalGraphics


class Screens(OpenedTabs[ScreenTab]):
    """Of one app. With this module comes numpy: import it when the first screen opens."""

    KIND = "screen"

    def __init__(self, app: App[Any], cockpit: Cockpit, graphics: TerminalGraphics) -> None:
        """None is open. The usual fonts are there at once; those of this machine are looked for."""
        super().__init__(app, cockpit)
        self._means = Means(graphics, Fonts.built_in())
        threading.Thread(target=self._means.fonts.search, name="fonts", daemon=True).start()

    def open(self, desk: Desk, node: Node) -> None:
        """Show a node's screen: its tab, which is made if there is none."""
        if not self.shown(desk, node):
            # EC2 shows no screen, it only takes pictures of it.
            tab = PictureTab if node.provider == "ec2" else ScreenTab
            self.add(tab(self._cockpit, desk, self.new_mode(), node, self._means))
