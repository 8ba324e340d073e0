"""A guest with a screen, played: a VNC server that shows what a test draws and keeps what it is sent."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import numpy as np

from pilot import wire
from pilot.vnc.framebuffer import Packed

VERSION = b"RFB 003.008\n"
_SIZES = {0: 20, 3: 10, 4: 8, 5: 6, 150: 10, 255: 12}
"""Lengths of a client's messages that have a fixed one."""
EXTENDED_KEYS, EXTENDED_SIZE = -258, -308


class Peer:
    """One connection to it."""

    def __init__(self, guest: VncGuest, send: Callable[[bytes], object]) -> None:
        self._guest = guest
        self._send = send
        self._data = bytearray()
        self._greeted = 0
        self._asked = False
        self._stale = True
        self._offered = False
        send(VERSION)

    def feed(self, data: bytes) -> None:
        """What the client sends."""
        self._data += data
        while self._take():
            pass
        self.show()

    def changed(self) -> None:
        """There is something new to see."""
        self._stale = True
        self.show()

    def show(self) -> None:
        """Answer, if it is asked and there is something new."""
        if not (self._asked and self._stale and self._guest.answers):
            return
        self._asked = self._stale = False
        picture = self._guest.picture
        height, width = picture.shape
        rectangles = [struct.pack("!4Hi", 0, 0, width, height, 0) + picture.astype("<u4").tobytes()]
        if not self._offered:
            self._offered = True
            rectangles.insert(0, struct.pack("!4Hi", 0, 0, 0, 0, EXTENDED_KEYS))
            if self._guest.takes_sizes:
                layout = struct.pack("!B3xI4HI", 1, 0, 0, 0, width, height, 0)
                rectangles.insert(0, struct.pack("!4Hi", 0, 0, width, height, EXTENDED_SIZE) + layout)
        self._send(struct.pack("!BxH", 0, len(rectangles)) + b"".join(rectangles))

    def _cut(self, count: int) -> bytes | None:
        if len(self._data) < count:
            return None
        part = bytes(self._data[:count])
        del self._data[:count]
        return part

    def _take(self) -> bool:
        """One message; False if it has not come whole."""
        if self._greeted < 3:
            return self._greet()
        if not self._data:
            return False
        kind = self._data[0]
        if kind == 2 and len(self._data) >= 4:
            size = 4 + 4 * struct.unpack_from("!H", self._data, 2)[0]
        elif kind == 251 and len(self._data) >= 8:
            size = 8 + 16 * self._data[6]
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            assert kind in (2, 251), f"a client's message of type {kind}"
            return False
        message = self._cut(size)
        if message is None:
            return False
        self._handle(kind, message)
        return True

    def _greet(self) -> bool:
        part = self._cut((12, 1, 1)[self._greeted])
        if part is None:
            return False
        self._greeted += 1
        if self._greeted == 1:
            assert part == VERSION
            self._send(b"\x01\x01")
        elif self._greeted == 2:
            self._send(bytes(4))
        else:
            height, width = self._guest.picture.shape
            self._guest.shared.append(part != b"\0")
            self._send(struct.pack("!HH16xI", width, height, 5) + b"guest")
        return True

    def _handle(self, kind: int, message: bytes) -> None:
        guest = self._guest
        if kind == 3:
            guest.requests += 1
            self._asked = True
            self._stale |= not message[1]
        elif kind == 255:
            _, _, down, _, code = struct.unpack("!BBHII", message)
            guest.scancodes.append((code, bool(down)))
        elif kind == 4:
            guest.keysyms.append((struct.unpack_from("!I", message, 4)[0], bool(message[1])))
        elif kind == 5:
            buttons, x, y = struct.unpack_from("!BHH", message, 1)
            guest.pointed.append((x, y, buttons))
        elif kind == 251:
            guest.sizes_asked.append(struct.unpack_from("!HH", message, 2))


class VncGuest:
    """The guest."""

    def __init__(self, width: int = 64, height: int = 48) -> None:
        self.picture: Packed = np.zeros((height, width), np.uint32)
        """Red, and green and blue shifted by 8 and 16 bits."""
        self.answers = True
        """Whether it sends updates when it is asked."""
        self.takes_sizes = False
        self.requests = 0
        self.scancodes: list[tuple[int, bool]] = []
        self.keysyms: list[tuple[int, bool]] = []
        self.pointed: list[tuple[int, int, int]] = []
        self.sizes_asked: list[tuple[int, int]] = []
        self.shared: list[bool] = []
        self.streams: list[PlayedStream] = []
        self._peers: list[Peer] = []

    def connect(self, send: Callable[[bytes], object]) -> Peer:
        """A connection whose client gets what the guest sends by `send`."""
        peer = Peer(self, send)
        self._peers.append(peer)
        return peer

    def leave(self, peer: Peer) -> None:
        """The client is gone."""
        self._peers.remove(peer)

    def draw(self, picture: Packed) -> None:
        """Show this from now on; of the size that it began with."""
        self.picture = picture
        self.changed()

    def changed(self) -> None:
        """What is shown was changed in place."""
        for peer in tuple(self._peers):
            peer.changed()

    @property
    def keys(self) -> list[int]:
        """Scancodes of the keys that went down."""
        return [code for code, down in self.scancodes if down]

    def stream(self, *, controlling: bool = True, exclusive: bool = False) -> PlayedStream:
        """A new connection, as the link gives one."""
        stream = PlayedStream(self, controlling, exclusive)
        self.streams.append(stream)
        return stream


class PlayedStream:
    """What a `ScreenStream` is to a session, without a link."""

    def __init__(self, guest: VncGuest, controlling: bool, exclusive: bool) -> None:
        self.attached = wire.ScreenAttached("id", "compute-0-0", controlling, exclusive)
        self.notices: Callable[[wire.Notice], None] | None = None
        self.why = ""
        self.closed = False
        self._coming: asyncio.Queue[bytes] = asyncio.Queue()
        self._guest = guest
        self._peer = guest.connect(self._coming.put_nowait)

    async def read(self) -> bytes:
        return b"" if self.closed else await self._coming.get()

    def write(self, data: bytes) -> None:
        if not self.closed:
            self._peer.feed(data)

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._guest.leave(self._peer)
            self._coming.put_nowait(b"")

    def end(self, why: str) -> None:
        """airboss ends it."""
        self.why = why
        self.close()
