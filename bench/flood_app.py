"""The smallest app around a console session: `python -m bench.flood_app PORT KEY KNOWN_HOSTS`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Static

from keys.identity import identities
from pilot.client_config import Site
from pilot.console.bittty_engine import BitttyEngine
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.live.console import ConsoleSession
from pilot.live.feeding import SWITCH_SECONDS
from pilot.widgets.terminal import TerminalWidget


class Counter(Static, can_focus=True):
    """Counts its keys: what else an app has to do."""

    count = 0

    def on_key(self, event: events.Key) -> None:
        """Say how many there were."""
        event.stop()
        if event.key == "t":
            self.app.query_one(TerminalWidget).focus()
        else:
            self.count += 1
            self.update(f"key {self.count}.")


class FloodApp(App[None]):
    """A line that counts keys, and a console below it."""

    CSS = "Counter { height: 1 }"

    def __init__(self, port: int, key: Path, known: Path) -> None:
        super().__init__()
        self._port, self._key, self._known = port, key, known
        self._session = ConsoleSession("id", "compute-0-0", self._open, BitttyEngine(80, 24))
        self._link: Link | None = None

    async def _open(self, mode: str, columns: int, rows: int):  # type: ignore[no-untyped-def]
        if self._link is None:
            site = Site("test", "127.0.0.1", self._port)
            found = await identities([self._key], False, None)
            self._link = await Link.connect(site, found, KnownHosts(self._known, accept_first_use))
        return await self._link.console("compute-0-0", "vc1", mode, columns, rows)

    def compose(self) -> ComposeResult:
        """Counter and console."""
        yield Counter("key 0.")
        yield TerminalWidget(self._session.engine)

    def on_mount(self) -> None:
        """Begin."""
        terminal = self.query_one(TerminalWidget)
        self._session.printed.listen(terminal.engine_changed)
        self._keeping = asyncio.create_task(self._session.run())

    def on_terminal_display_resized(self, event: TerminalWidget.Resized) -> None:
        """The console is as large as its room."""
        self._session.resize(event.columns, event.rows)

    def on_terminal_widget_keys_typed(self, event: TerminalWidget.KeysTyped) -> None:
        """To the guest."""
        self._session.type(event.data)

    def on_terminal_widget_release_requested(self) -> None:
        """Back to counting."""
        self.query_one(Counter).focus()


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    FloodApp(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])).run()
