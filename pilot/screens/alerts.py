"""The terminal's bell, or a notification of the desktop, when somebody's work comes to stand still."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.app import App

from pilot.attention import Concern, Level, concerns
from pilot.live.cockpit import Cockpit
from pilot.records import AnyRecord
from pilot.wire import plain

LOOK_SECONDS = 5.0
"""Between two looks: each goes over all records."""
_LONGEST = 200
_ESC, _BELL = "\x1b", "\a"


class Alerts:
    """Follows the site that is looked at, as `alert` in app.toml has it: not at all, `bell` or `desktop`."""

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        self._app = app
        self._cockpit = cockpit
        self._task: asyncio.Task[None] | None = None
        self._site = ""
        self._known: set[tuple[str, str]] = set()
        """What was wrong at the last look: of this the user knows."""

    def start(self) -> None:
        """Begin, if it is wanted."""
        if self._cockpit.settings.alert != "none" and self._task is None:
            self._task = asyncio.create_task(self._follow(), name="alerts")

    def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self) -> None:
        while True:
            live = self._cockpit.desk.live
            if live.state == "live" and live.store.complete:
                found = concerns(live.store.records, self._cockpit.clock())
                down = {(one.about, one.kind): one for one in found if one.level == Level.DOWN}
                fresh = [one for key, one in down.items() if key not in self._known]
                # What is wrong already when one comes to a site is seen there.
                if fresh and self._site == live.name:
                    self._ring(live.name, fresh, live.store.records.get(fresh[0].about))
                self._site, self._known = live.name, set(down)
            await asyncio.sleep(LOOK_SECONDS)

    def _ring(self, site: str, fresh: list[Concern], record: AnyRecord | None) -> None:
        if self._cockpit.settings.alert == "bell":
            self._app.bell()
            return
        first = fresh[0]
        name = getattr(record, "name", "") or first.about
        more = f", and {len(fresh) - 1} more" if len(fresh) > 1 else ""
        self.write(notification(f"Rocks Pilot: {site}", f"{name} {first.kind}{more}: {first.words}"))

    def write(self, sequence: str) -> None:
        """Send a sequence to the terminal, in order with what the app draws."""
        driver = self._app._driver  # noqa: SLF001 - as Textual's own bell does
        if driver is not None:
            driver.write(sequence)


def notification(title: str, words: str) -> str:
    """What asks a terminal for a notification of the desktop.

    OSC 9 is iTerm2's (kitty, WezTerm, Ghostty and Windows Terminal know it), OSC 777 urxvt's (foot, VTE). A
    terminal that knows neither drops both; one that knows both shows one notification twice at worst.
    """
    title, words = (plain(text, _LONGEST).replace(";", ",") for text in (title, words))
    return f"{_ESC}]9;{title}: {words}{_BELL}{_ESC}]777;notify;{title};{words}{_BELL}"
