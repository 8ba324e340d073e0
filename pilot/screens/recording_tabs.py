"""The tabs of recordings: their list, and one for each that is played."""

from __future__ import annotations

from typing import Any

from textual.app import App

from pilot.live.cockpit import Cockpit
from pilot.screens.player_tab import PlayerScreen
from pilot.screens.recordings import MODE, RecordingsScreen
from pilot.wire import Recording


class RecordingTabs:
    """Of one app. With this module comes the terminal engine: import it when the first is wanted."""

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        """None is open."""
        self._app = app
        self._cockpit = cockpit
        self._list: RecordingsScreen | None = None
        self._players: dict[str, PlayerScreen] = {}
        self._count = 0

    def show_list(self) -> None:
        """The list."""
        if self._list is None:
            self._list = screen = RecordingsScreen(self._cockpit)
            self._app.add_mode(MODE, lambda: screen)
            self._cockpit.open_tab(screen.named())
        self._app.switch_mode(MODE)

    def play(self, wanted: Recording | str) -> None:
        """A recording, or what `:play` was told; one that goes on is got anew."""
        desk = self._cockpit.desk
        for mode, player in self._players.items():
            if player.desk is desk and player.wanted == wanted and isinstance(wanted, Recording):
                self._app.switch_mode(mode)
                return
        self._count += 1
        mode = f"player-{self._count}"
        self._players[mode] = screen = PlayerScreen(self._cockpit, desk, mode, wanted)
        self._app.add_mode(mode, lambda: screen)
        screen.name_tab()
        self._app.switch_mode(mode)

    def close(self, mode: str) -> None:
        """One of them is not wanted any more."""
        if self._players.pop(mode, None) is None:
            if self._list is None or mode != MODE:
                return
            self._list = None
        self._cockpit.close_tab(mode)
        if self._app.current_mode == mode:
            self._app.switch_mode(MODE if self._list is not None else "nodes")
        self._app.remove_mode(mode)
