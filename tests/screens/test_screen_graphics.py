"""A screen as pixels, in a terminal that the test plays: what it is sent, and what it is asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from pilot.vnc.framebuffer import Packed, Pixels
from pilot.widgets.graphics import ANSWER_SECONDS
from tests.client.stand_in import User
from tests.screens.screen_app import ScreenBoss, stripes
from tests.support.terminal import CLI, Terminal, terminal
from tests.support.vnc_guest import VncGuest
from tests.support.waiting import until
from tests.vnc.kitty_terminal import MARKS, KittyTerminal

WIDTH, HEIGHT = 320, 160
_COMMAND = re.compile(rb"\x1b_G[^\x1b]*\x1b\\|\x1b\[>q")
_CELLS = re.compile(r"38;2;(\d+);(\d+);(\d+)[;\d]*m((?:\U0010eeee..)+)")


class Played:
    """A terminal with graphics, or one that is short of something."""

    def __init__(self, opened: Terminal, name: str = "kitty(0.40.1)", graphics: str = "OK") -> None:
        self.opened = opened
        self.kitty = KittyTerminal((8, 16))
        self.asked = 0
        self.silent = False
        """It answers for no picture any more."""
        self.words = "OK"
        """What it says of pictures."""
        self._name = name
        self._graphics = graphics
        self._read = 0

    async def run(self) -> None:
        """Take and answer, until cancelled."""
        while True:
            written = bytes(self.opened.written)
            for match in _COMMAND.finditer(written, self._read):
                self._read = match.end()
                self._take(match[0])
            await asyncio.sleep(0.005)

    def _take(self, command: bytes) -> None:
        if command == b"\x1b[>q":
            self.opened.type(f"\x1bP>|{self._name}\x1b\\".encode())
        elif b"a=q" in command:
            self.asked += 1
            self.opened.type(f"\x1b_Gi=31;{self._graphics}\x1b\\".encode())
        else:
            self.kitty.take(command)
            while self.kitty.answers:
                answer = self.kitty.answers.pop(0).replace("OK", self.words)
                if not self.silent:
                    self.opened.type(answer.encode())

    def cells(self) -> dict[int, set[tuple[int, int]]]:
        """By picture, the rows and columns of it that were drawn so far."""
        found: dict[int, set[tuple[int, int]]] = {}
        for match in _CELLS.finditer(self.opened.written.decode(errors="replace")):
            id = int(match[1]) << 16 | int(match[2]) << 8 | int(match[3])
            for start in range(0, len(match[4]), 3):
                _, row, column = tuple(match[4][start : start + 3])
                found.setdefault(id, set()).add((MARKS.index(row), MARKS.index(column)))
        return found

    def picture(self) -> Pixels | None:
        """The tiles side by side, as their ids follow one another; None while there are not all."""
        images = [self.kitty.images[id] for id in sorted(self.kitty.images)]
        if len(images) != 15:
            return None
        rows = [np.concatenate([image.pixels for image in images[at : at + 5]], axis=1) for at in (0, 5, 10)]
        return np.concatenate(rows)

    def shows(self, picture: Packed) -> bool:
        """Whether all of it is there, twice as large."""
        seen = self.picture()
        if seen is None:
            return False
        wanted = picture.astype("<u4").view(np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3]
        return np.array_equal(seen, wanted.repeat(2, axis=0).repeat(2, axis=1))


@asynccontextmanager
async def at_a_screen(
    folder: Path, name: str = "kitty(0.40.1)", graphics: str = "OK", settings: str = ""
) -> AsyncIterator[tuple[Played, VncGuest]]:
    """`pilot` at the screen of a guest that shows no text."""
    guest = VncGuest()
    guest.picture = stripes(WIDTH, HEIGHT)
    airboss = ScreenBoss(guest)
    await airboss.start()
    user = User(folder, airboss)
    user.pin()
    (user.config / "app.toml").write_text(settings)
    environment = {**user.environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("TMUX", None)
    playing: asyncio.Task[None] | None = None
    try:
        async with terminal(CLI, environment, (100, 32)) as opened:
            played = Played(opened, name, graphics)
            playing = asyncio.create_task(played.run())
            await opened.shows("● on".encode())
            opened.type(b"v")
            yield played, guest
    finally:
        if playing is not None:
            playing.cancel()
        await airboss.stop()


async def test_pixels_follow_the_guest_and_are_deleted_at_the_end(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path) as (played, guest):
        await until(lambda: played.shows(guest.picture), 30, "the picture")
        whole = {
            id: {(row, column) for row in range(image.rows) for column in range(image.columns)}
            for id, image in played.kitty.images.items()
        }
        await until(lambda: played.cells() == whole, 30, "cells for all of it")
        await played.opened.shows(b"graphics")
        sent = played.kitty.received
        guest.picture[5:9, 5:9] ^= 0xFFFFFF
        guest.changed()
        await until(lambda: played.shows(guest.picture), 30, "what has changed")
        assert played.kitty.received == sent + 1, "of one tile"
        assert not guest.keys, "answers are no keys"
        played.opened.type(b"a")
        await until(lambda: guest.keys == [0x1E], 30, f"{guest.keys}")
        played.opened.type(b"\x1d\x11")
        await played.opened.ends()
        await until(lambda: not played.kitty.images, 30, "nothing is left behind")


async def test_one_frame_is_on_its_way_and_no_more(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path) as (played, guest):
        await until(lambda: played.shows(guest.picture), 30, "the picture")
        played.silent = True
        guest.picture ^= 0xFFFFFF
        guest.changed()
        await until(lambda: played.shows(guest.picture), 30, "the next one")
        loop = asyncio.get_running_loop()
        received, begun = played.kitty.received, loop.time()
        for _ in range(20):
            guest.picture ^= 0xFFFFFF
            guest.changed()
            await asyncio.sleep(0.01)
        # It has not said that it has the one before: only after a while a next one is tried.
        frames = 1 + int((loop.time() - begun) / ANSWER_SECONDS)
        assert played.kitty.received <= received + 15 * frames
        played.silent = False
        await until(lambda: played.shows(guest.picture), 30, "the last one, not all between")


async def test_a_terminal_without_placeholders_gets_half_blocks(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, name="WezTerm 20240203") as (played, _):
        await played.opened.shows(b"half blocks")
        await until(lambda: played.asked == 1, 30)
        assert not played.kitty.images


async def test_a_terminal_that_cannot_after_all(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, settings='graphics = "auto"\n') as (played, guest):
        await until(lambda: played.shows(guest.picture), 30, "the picture")
        played.words = "ENOSPC:no room"
        guest.picture ^= 0xFFFFFF
        guest.changed()
        await played.opened.shows(b"half blocks")
