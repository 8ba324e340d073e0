"""A key at a VM's screen: from the terminal through the app, airboss and QEMU's VNC to the changed cell."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time

import libvirt
import numpy as np

from bench.keystrokes import Pty
from bench.result import Row, below, median, percentile
from bench.workshop import Bench, Workshop, console_script, node_plans
from pilot.demo import domains
from pilot.demo import guest as guest_module
from pilot.vnc import keys
from pilot.vnc.rfb import RfbClient

COUNT = 120
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
LINE = 20
"""Keys before the line is emptied."""
PAUSE = 0.06
"""Seconds between a letter on the screen and the next key, about as fast as people type."""
TAIL = 5
"""Letters before the last one that are waited for with it: what is drawn again ends with none of these."""
READY_SECONDS = 120.0
KEY_SECONDS = 10.0
ROWS, COLUMNS = 40, 120
RELEASE = b"\x1d"
LEAVE = RELEASE + b"\x11"
EMPTY = b"\x15"
"""Ctrl+U."""


async def measure(workshop: Workshop) -> list[Row]:
    """A real VM's console on its VGA screen: in the app, then by a bare VNC client beside QEMU."""
    guest = await asyncio.to_thread(guest_module.build)
    guest = await asyncio.to_thread(domains.share, guest, workshop.fresh("g"))
    plans = node_plans(1)
    async with workshop.host(plans, guest) as host, workshop.site({host.name: host.uri}, 1) as site:
        connection = libvirt.open(host.uri)
        domain = connection.lookupByName(plans[0].domain)
        domain.create()
        try:
            app = await asyncio.to_thread(_in_the_app, site)
            bare = await _bare(domain)
        finally:
            connection.close()
    workshop.notes.append(
        f"A screen's key: {COUNT} letters typed at the shell of the VM's text console (720x400, TCG); p95 "
        f"{percentile(app, 95):.0f} ms in the app, {percentile(bare, 95):.0f} ms by a bare VNC client on "
        "QEMU's socket. QEMU looks for changes on the screen every 30 ms or so."
    )
    return [
        below(
            "VNC key to changed cell in the app, p50",
            median(app),
            "ms",
            60,
            "bare VNC client, in pixels",
            median(bare),
        )
    ]


def _in_the_app(site: Bench) -> list[float]:
    """Milliseconds from a key until the bytes that draw its letter have arrived at the terminal."""
    environment = {**site.ada.environment, "COLORTERM": "truecolor"}
    terminal = Pty(console_script("pilot"), environment, ROWS, COLUMNS)
    try:
        _await(terminal, b"1 node")
        terminal.listen(0.5)
        terminal.type(b"v")
        _await(terminal, b"login:")
        terminal.type(b"root\r")
        _await(terminal, b"Password:")
        terminal.type(b"pilot\r")
        _await(terminal, b"# ")
        terminal.listen(1.0)
        times = []
        typed = b""
        for number, letter in enumerate(itertools.islice(itertools.cycle(LETTERS), COUNT)):
            if number % LINE == 0:
                terminal.type(EMPTY)
                terminal.listen(0.5)
                typed = b""
            typed += bytes([letter])
            terminal.seen.clear()
            begin = time.perf_counter()
            terminal.type(bytes([letter]))
            if not terminal.await_text(typed[-TAIL:], KEY_SECONDS):
                raise RuntimeError(f"{typed!r} was not drawn: {terminal.last!r}")
            times.append((time.perf_counter() - begin) * 1000)
            terminal.listen(PAUSE)
        terminal.type(EMPTY)
        return times
    finally:
        terminal.end(LEAVE)


def _await(terminal: Pty, text: bytes) -> None:
    if not terminal.await_text(text, READY_SECONDS):
        raise RuntimeError(f"no {text!r} came: {terminal.last!r}")


class _Socket:
    """A VNC server's socket as the client's stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.write, self.drain, self.close = writer.write, writer.drain, writer.close

    async def read(self) -> bytes:
        return await self._reader.read(1 << 16)


async def _bare(domain: libvirt.virDomain) -> list[float]:
    """Milliseconds from a key until an update has its letter, without app and airboss."""
    number = await asyncio.to_thread(domain.openGraphicsFD, 0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    ours = socket.socket(fileno=number)
    ours.setblocking(False)
    client = RfbClient(_Socket(*await asyncio.open_connection(sock=ours)))
    await client.handshake()
    news = asyncio.Event()

    def updated() -> None:
        news.set()
        client.request()

    client.updated = updated
    client.request()
    reading = asyncio.create_task(client.run())
    try:
        await asyncio.wait_for(news.wait(), KEY_SECONDS)
        times = []
        for letter in itertools.islice(itertools.cycle(LETTERS.decode()), COUNT):
            stroke = keys.stroke(letter, letter)
            assert stroke is not None
            before = client.screen.packed.copy()
            begin = time.perf_counter()
            client.press(stroke)
            async with asyncio.timeout(KEY_SECONDS):
                while not _has_letter(before, client.screen.packed):
                    news.clear()
                    await news.wait()
            times.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(PAUSE)
        return times
    finally:
        client.close()
        reading.cancel()
        await asyncio.wait({reading})


def _has_letter(before: np.ndarray[tuple[int, int], np.dtype[np.uint32]], now: object) -> bool:
    """Whether something has changed that is more than a cursor's two lines."""
    rows = np.flatnonzero((before != now).any(axis=1))
    return len(rows) > 2
