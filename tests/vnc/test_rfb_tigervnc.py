"""The client at TigerVNC's server, which offers what QEMU's does not: fences, and updates by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.vnc.qemu import SECONDS, Viewer, viewing

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("Xvnc") is None, reason="no TigerVNC server is installed"),
]


class Desktop:
    """An X server with nothing but a root window, and its VNC socket."""

    def __init__(self, vnc: Path, display: int) -> None:
        self.vnc = vnc
        self._display = display

    async def paint(self, colour: int) -> None:
        """Fill the root window, in the X11 protocol: set up, its background, and clear all of it."""
        reader, writer = await asyncio.open_unix_connection(f"\0/tmp/.X11-unix/X{self._display}")
        writer.write(struct.pack("<cxHHHH2x", b"l", 11, 0, 0, 0))
        accepted, length = struct.unpack("<BxHHH", await reader.readexactly(8))[0::3]
        assert accepted == 1
        setup = await reader.readexactly(length * 4)
        vendor, formats = struct.unpack_from("<H", setup, 16)[0], setup[21]
        (root,) = struct.unpack_from("<I", setup, 32 + (vendor + 3) // 4 * 4 + formats * 8)
        writer.write(struct.pack("<BxHIII", 2, 4, root, 1 << 1, colour))  # ChangeWindowAttributes
        writer.write(struct.pack("<BBHIhhHH", 61, 0, 4, root, 0, 0, 0, 0))  # ClearArea
        writer.write(struct.pack("<BxH", 43, 1))  # GetInputFocus, whose reply says that all is done
        await asyncio.wait_for(reader.readexactly(32), SECONDS)
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as path:
        yield Path(path)


@asynccontextmanager
async def desktop(folder: Path, *options: str) -> AsyncIterator[Desktop]:
    """Such a server, of 640 by 480 pixels."""
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        "Xvnc", "-displayfd", str(theirs), "-geometry", "640x480", "-depth", "24", "-SecurityTypes", "None",
        "-rfbunixpath", str(folder / "vnc"), "-rfbport", "-1", "-nolisten", "tcp", "-ac", "-noreset",
        *options,
        pass_fds=(theirs,),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    try:
        with os.fdopen(ours, "rb") as said:
            number = await asyncio.wait_for(asyncio.to_thread(said.readline), SECONDS)
        yield Desktop(folder / "vnc", int(number))
    finally:
        process.terminate()
        await process.wait()


def shows(viewer: Viewer, colour: tuple[int, int, int]) -> bool:
    return bool((viewer.screen.pixels == colour).all())


async def test_updates_come_by_themselves_until_nobody_looks(folder: Path) -> None:
    async with desktop(folder) as server, viewing(server.vnc) as viewer:
        await until(lambda: viewer.features.continuous_updates, SECONDS, "the offer")
        assert viewer.features.fence
        assert viewer.features.set_size
        await server.paint(0x102030)
        await until(lambda: shows(viewer, (0x10, 0x20, 0x30)), SECONDS, "the first colour")
        await until(lambda: not viewer.waiting, SECONDS, "the end of asking")

        viewer.updated = None  # nothing is asked for from now on
        viewer.request()
        for shade in range(0x40, 0x48):
            await server.paint(shade)
            await until(partial(shows, viewer, (0, 0, shade)), SECONDS, "a colour not asked for")
        assert not viewer.waiting

        viewer.rest()
        await server.paint(0xFF0000)
        viewer.updated = viewer.ask_again
        viewer.request()
        await until(lambda: shows(viewer, (255, 0, 0)), SECONDS, "what was missed")


async def test_the_screen_gets_the_size_that_is_asked_for(folder: Path) -> None:
    async with desktop(folder) as server, viewing(server.vnc) as viewer, viewing(server.vnc) as other:
        await until(lambda: viewer.features.set_size, SECONDS, "the offer")
        assert viewer.ask_size(333, 222)
        await until(lambda: viewer.size_answer, SECONDS, "an answer")
        assert viewer.size_answer is not None
        assert viewer.size_answer.done
        assert (viewer.screen.width, viewer.screen.height) == (333, 222)
        await until(
            lambda: (other.screen.width, other.screen.height) == (333, 222), SECONDS, "the other's size"
        )
        assert other.size_answer is None
        await server.paint(0x00FF80)
        await until(
            lambda: shows(viewer, (0, 255, 128)) and shows(other, (0, 255, 128)), SECONDS, "its colour"
        )


async def test_the_pointers_picture_is_sent(folder: Path) -> None:
    async with desktop(folder, "-retro") as server, viewing(server.vnc) as viewer:
        viewer.pointer(100, 100)
        await until(lambda: viewer.cursor is not None and viewer.cursor.mask.any(), SECONDS, "the pointer")


async def test_whoever_wants_to_be_alone_is(folder: Path) -> None:
    async with desktop(folder) as server, viewing(server.vnc) as first:
        await until(lambda: not first.waiting, SECONDS, "a picture")
        async with viewing(server.vnc, shared=False) as second:
            await until(lambda: not second.waiting, SECONDS, "a picture")
            await until(first.run_task.done, SECONDS, "the end of the first")
