"""A console in the terminal of stock ssh: guest bytes filtered, notices between them, keys and commands."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pilot import wire
from pilot.agent.consoles.viewer import Viewer
from pilot.console_keys import Keys, Meant, help_words
from pilot.people import who
from pilot.terminal_filter import TerminalFilter

_SLICE = 8 * 1024
"""Bytes of a guest's output that are filtered in one go: 10 ms at worst, and others wait as long."""
_MAX_NOTICE = 500
"""Characters of the longest notice."""


class Terminal(Protocol):
    """The client's end."""

    async def keys(self) -> bytes:
        """Wait for keys, and take them."""

    async def room(self) -> None:
        """Wait while the client does not read."""

    def write(self, data: bytes) -> None:
        """Send to the client's terminal."""


class StockConsole:
    """One stay at a console."""

    def __init__(self, viewer: Viewer, name: str, terminal: Terminal) -> None:
        """`name` is the node's."""
        self._viewer = viewer
        self._name = name
        self._terminal = terminal

    async def stay(self) -> None:
        """Show and type, until the user leaves or the console ends."""
        writes = "you write" if self._viewer.attached.writing else "you watch"
        self._notice(f"{self._name}: {writes}; Ctrl+] leaves, Ctrl+^ ? tells more")
        ways = {asyncio.create_task(self._type()), asyncio.create_task(self._show())}
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            self._terminal.write(TerminalFilter().reset_sequence())
            self._notice(f"left {self._name}")

    async def _show(self) -> None:
        """Pass on what is printed, until the stream ends."""
        attached = self._viewer.attached
        past, live = TerminalFilter(answers=False), TerminalFilter(answers=attached.writing)
        replay = attached.replay
        async for frame in self._viewer:
            if isinstance(frame, wire.Notice):
                self._notice(frame.text)
                live.answers = live.answers if frame.writing is None else frame.writing
            elif isinstance(frame, wire.Output):
                before, now = frame.data[:replay], frame.data[replay:]
                replay -= len(before)
                self._terminal.write(await filtered(past, before) + await filtered(live, now))
            await self._terminal.room()

    async def _type(self) -> None:
        """Pass keys on, and do what those mean that are airboss's, until the one that leaves."""
        meanings = Keys()
        while True:
            for meant in meanings.feed(await self._terminal.keys()):
                if meant.what == "leave":
                    return
                await self._do(meant)
                if meant.what != "type":
                    # Who asks for words and does not read them must not have them pile up here.
                    await self._terminal.room()
                await asyncio.sleep(0)  # however many keys came at once, others run in between

    async def _do(self, meant: Meant) -> None:
        viewer = self._viewer
        if meant.what == "type":
            await viewer.write(meant.data)
        elif meant.what == "take":
            viewer.take()
        elif meant.what == "join":
            viewer.join()
        elif meant.what == "release":
            viewer.release()
        elif meant.what == "who":
            self._notice(who(viewer.people()))
        elif meant.what == "help":
            self._notice(help_words())
        else:
            self._terminal.write(meant.data)
            if meant.what == "say":
                viewer.say(meant.text)

    def _notice(self, text: str) -> None:
        self._terminal.write(f"\r\n\x1b[2m[pilot: {wire.plain(text, _MAX_NOTICE)}]\x1b[0m\r\n".encode())


async def filtered(terminal: TerminalFilter, data: bytes) -> bytes:
    """What may be printed of the data; others run in between, however much it is."""
    parts = []
    for start in range(0, len(data), _SLICE):
        parts.append(terminal.feed(data[start : start + _SLICE]))
        await asyncio.sleep(0)
    return b"".join(parts)
