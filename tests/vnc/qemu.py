"""QEMU with a screen and a keyboard, and what it shows by its own account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np

from pilot.vnc.encodings import PREFERRED
from pilot.vnc.framebuffer import Pixels
from pilot.vnc.rfb import RfbClient
from tests.support.waiting import until

SECONDS = 60.0
"""For anything that a machine does, on a slow host."""


class Socket:
    """A socket as a client's stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class Viewer(RfbClient):
    """A client that reads in a task of its own and asks again after each update."""

    run_task: asyncio.Task[None]
    generation = 0

    def ask_again(self) -> None:
        self.generation += 1
        self.request()


@asynccontextmanager
async def viewing(
    path: Path, encodings: Sequence[int] = PREFERRED, shared: bool = True
) -> AsyncIterator[Viewer]:
    """A viewer of the server at a socket; whatever its reading raised is raised here."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    viewer = Viewer(Socket(reader, writer), encodings=encodings, shared=shared)
    try:
        await viewer.handshake(SECONDS)
        viewer.run_task = asyncio.create_task(viewer.run())
        viewer.updated = viewer.ask_again
        viewer.request()
        yield viewer
        if viewer.run_task.done():
            viewer.run_task.result()
    finally:
        viewer.close()
        if hasattr(viewer, "run_task"):
            viewer.run_task.cancel()
            await asyncio.wait({viewer.run_task})
        with suppress(OSError):
            await writer.wait_closed()


class Machine:
    """A QEMU; its VNC server is at `vnc`, and its serial port writes to `serial`."""

    def __init__(self, folder: Path) -> None:
        self.vnc, self.serial = folder / "vnc", folder / "serial"
        self._monitor_path, self._dump = folder / "qmp", folder / "screen.ppm"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        await until(self._monitor_path.exists, SECONDS, "QEMU's monitor")
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._monitor_path))
        await self._reader.readline()
        await self.tell("qmp_capabilities")

    async def tell(self, command: str, **arguments: object) -> None:
        """A command of QEMU's monitor (QMP)."""
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(await asyncio.wait_for(self._reader.readline(), SECONDS))
            assert "error" not in answer, answer
            if "return" in answer:
                return

    async def screendump(self) -> Pixels:
        """The screen, by QEMU's own account."""
        await self.tell("screendump", filename=str(self._dump))
        kind, size, depth, data = self._dump.read_bytes().split(b"\n", 3)
        assert (kind, depth) == (b"P6", b"255")
        width, height = map(int, size.split())
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()


@asynccontextmanager
async def booted(folder: Path, *options: str) -> AsyncIterator[Machine]:
    """A machine of SeaBIOS and a VGA card; nothing else unless options say so."""
    machine = Machine(folder)
    process = await asyncio.create_subprocess_exec(
        "qemu-system-x86_64", "-accel", "tcg", "-m", "32", "-nodefaults", "-no-user-config",
        "-display", "none", "-vga", "std", "-vnc", f"unix:{machine.vnc}",
        "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off", "-serial", f"file:{machine.serial}",
        *options,
    )  # fmt: skip
    try:
        await machine.connect()
        yield machine
    finally:
        process.kill()
        await process.wait()
        await machine.close()


_GUEST = bytes.fromhex(
    "fc"  # cld
    "b8024f bb1801 cd10"  # VESA mode 0x118, 1024x768 with 24 bits: mov ax, 4f02h; mov bx, 118h; int 10h
    "b800a0 8ec0 31ff"  # the first bank of its pixels: mov ax, 0a000h; mov es, ax; xor di, di
    "89f8 f7e7 ab 85ff 75f7"  # square numbers are colourful: mov ax, di; mul di; stosw; test di, di; jnz
    "fa baf803 b052 ee"  # R says ready: cli; mov dx, 3f8h; mov al, 'R'; out dx, al
    "e464 a801 74fa e460 ee ebf5"  # keys to serial: in al, 64h; test al, 1; jz; in al, 60h; out dx, al; jmp
)


def write_guest(path: Path) -> Path:
    """A boot sector with a picture in 1024x768, and which tells the serial port each scancode, set 1."""
    path.write_bytes((_GUEST.ljust(510, b"\0") + b"\x55\xaa").ljust(64 * 1024, b"\0"))
    return path
