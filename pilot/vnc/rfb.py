"""A VNC client without a user interface: keeps a Framebuffer as a server's screen is, sends keys and pointer.

RFB 3.3 to 3.8 (RFC 6143) without security, since airboss has let in who may come in, and the extensions that
QEMU and TigerVNC offer (the TigerVNC project's rfbproto document). Nothing a server sends is believed: every
size, count and length has a bound, and what is malformed ends with a VncError.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from pilot.errors import VncError
from pilot.vnc import messages
from pilot.vnc.encodings import PREFERRED, Pointer
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.handshake import HANDSHAKE_SECONDS, handshake
from pilot.vnc.keyboard import Key
from pilot.vnc.keys import STROKE_SECONDS, Stroke
from pilot.vnc.stream import STALL_SECONDS, Reader, Stream
from pilot.vnc.updates import Features, Leds, SizeAnswer, Updates

__all__ = ["Features", "Leds", "RfbClient", "SizeAnswer", "Stream"]

LEFT, MIDDLE, RIGHT, WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = (1 << bit for bit in range(7))
"""Bits of a pointer event's buttons. A notch of the wheel is its button, pressed and let go: see `wheel`."""

MAX_CUT_TEXT = 16 * 1024 * 1024
"""Bytes of the guest's clipboard that are let pass."""
KEPT_CUT_TEXT = 64 * 1024
"""Bytes of it that are kept."""
MAX_FENCE = 64
_FENCE_REQUEST = 1 << 31
_FENCE_KNOWN = 0b111
"""Block before, block after, synchronise next: a client that does one thing after the other does them all."""


class RfbClient:
    """One connection. First `handshake`, then `run` in a task; all else is there after the handshake."""

    screen: Framebuffer

    def __init__(
        self,
        stream: Stream,
        *,
        shared: bool = True,
        clock: Callable[[], float] = time.monotonic,
        encodings: Sequence[int] = PREFERRED,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """Of a stream that has just been opened. `shared` False asks the server to send away all others."""
        self.updated: Callable[[], None] | None = None
        """Called after each whole update of the screen, its name, pointer or lights."""
        self.rang: Callable[[], None] | None = None
        """Called when the guest rings its bell."""
        self.copied: Callable[[str], None] | None = None
        """Called with what was copied in the guest."""
        self._stream = stream
        self._reader = Reader(stream, stall_seconds)
        self._shared = shared
        self._clock = clock
        self._encodings = encodings
        self._asked: float | None = None
        self._whole = True
        self._continuous: Rect | None = None
        self._buttons = 0

    async def handshake(self, seconds: float = HANDSHAKE_SECONDS) -> None:
        """Agree with the server, and say what it may send.

        Raises:
            VncError: no screen is to be had; or not in time.
        """
        try:
            async with asyncio.timeout(seconds):
                begun = await handshake(self._reader, self._stream, self._shared)
        except TimeoutError:
            raise VncError(
                f"the VNC server did not begin within {seconds:.0f} s",
                "Its VM may be hung or paused: look at the node's state.",
            ) from None
        try:
            self.screen = Framebuffer(begun.width, begun.height)
        except ValueError as error:
            raise VncError(f"the VNC server offers {error}") from None
        self._updates = Updates(self._reader, self.screen, begun.name)
        self._stream.write(messages.PIXEL_FORMAT + messages.set_encodings(self._encodings))

    async def run(self) -> None:
        """Read until the server ends the connection between two messages.

        Raises:
            VncError: what it sends is malformed, too much, cut off, or stopped halfway.
        """
        reading: dict[int, Callable[[], Awaitable[None]]] = {
            0: self._update,
            1: self._colours,
            2: self._bell,
            3: self._cut_text,
            150: self._continuous_offered,
            248: self._fence,
        }
        while await self._reader.begun():
            (kind,) = await self._reader.exactly(1)
            if kind not in reading:
                raise VncError(f"the VNC server sent a message of type {kind}, which was not asked for")
            await reading[kind]()
            await self._reader.rest()

    # What is known.

    @property
    def name(self) -> str:
        """What the server calls the screen; fit to be shown."""
        return self._updates.name

    @property
    def cursor(self) -> Pointer | None:
        """The mouse pointer's picture, if the server told: it is not on the screen then."""
        return self._updates.cursor

    @property
    def leds(self) -> Leds:
        """The lights of the guest's keyboard; all off while `features.leds` is False."""
        return self._updates.leds

    @property
    def features(self) -> Features:
        """What the server offered so far."""
        return self._updates.features

    @property
    def size_answer(self) -> SizeAnswer | None:
        """What became of the last `ask_size`; None until the server has answered."""
        return self._updates.answer

    @property
    def waiting(self) -> bool:
        """Whether an update was asked for and has not come."""
        return self._asked is not None

    @property
    def waited(self) -> float:
        """For how many seconds; a screen where nothing changes may take for ever to answer."""
        return 0.0 if self._asked is None else self._clock() - self._asked

    # What can be asked for.

    def request(self, incremental: bool = True, rect: Rect | None = None) -> bool:
        """Ask for an update of the screen, or a part of it; whether that was sent.

        There is never more than one asked for. A server that offers to send updates by itself is told to,
        once; then there is nothing to ask for, `waiting` stays False, and `rest` makes it stop. The first
        request, and the first after another size, are for everything.
        """
        region = self._inside(rect or self.screen.whole)
        if self._whole:
            incremental, region = False, self.screen.whole
        if incremental and self.features.continuous_updates:
            if self._continuous != region:
                self._stream.write(messages.continuous_updates(True, region))
                self._continuous = region
            return False
        if self.waiting:
            return False
        self._stream.write(messages.request(incremental, region))
        self._asked = self._clock()
        self._whole = False
        return True

    def rest(self) -> None:
        """Nobody looks: a server that sends updates by itself stops until the next `request`."""
        if self._continuous is not None:
            self._stream.write(messages.continuous_updates(False, self._continuous))
            self._continuous = None

    def ask_size(self, width: int, height: int) -> bool:
        """Ask for another size of the guest's screen; False if the server does not know how.

        What it answers is in `size_answer` when `updated` is called.
        """
        if not self.features.set_size:
            return False
        width, height = (max(1, min(length, 0xFFFF)) for length in (width, height))
        self._updates.answer = None
        self._stream.write(messages.set_desktop_size(width, height, *self._updates.layout))
        return True

    def key(self, key: Key, down: bool) -> None:
        """Press a key or let it go: by its scancode where the server takes that, else by its keysym."""
        extended = self.features.extended_keys and key.scancode
        message = messages.extended_key_event if extended else messages.key_event
        self._stream.write(message(key, down))

    def press(self, stroke: Stroke) -> None:
        """Press keys together and let them go."""
        for key, down in stroke.presses():
            self.key(key, down)

    async def type(self, strokes: Iterable[Stroke], pause: float = STROKE_SECONDS) -> None:
        """Press one after the other, not faster than a guest's keyboard can take them."""
        for stroke in strokes:
            self.press(stroke)
            await self._stream.drain()
            await asyncio.sleep(pause)

    def pointer(self, x: int, y: int, buttons: int = 0) -> None:
        """Move the mouse to a pixel; `buttons` are those that are held there."""
        x, y = max(0, min(x, self.screen.width - 1)), max(0, min(y, self.screen.height - 1))
        self._buttons = buttons & 0xFF
        self._stream.write(messages.pointer_event(x, y, self._buttons))

    def wheel(self, x: int, y: int, direction: int) -> None:
        """Turn the wheel by one notch: WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT or WHEEL_RIGHT."""
        held = self._buttons
        self.pointer(x, y, held | direction)
        self.pointer(x, y, held)

    def cut(self, text: str) -> None:
        """Offer text to the guest's clipboard, where something in the guest takes it."""
        self._stream.write(messages.cut_text(text))

    async def drain(self) -> None:
        """Wait while the server does not read."""
        await self._stream.drain()

    def close(self) -> None:
        """Let the connection go; `run` returns, or raises if it was in the middle of a message."""
        self._stream.close()

    def _inside(self, rect: Rect) -> Rect:
        """The part of a rectangle that is on the screen; it may have become smaller since that was asked."""
        x, y = max(0, min(rect.x, self.screen.width - 1)), max(0, min(rect.y, self.screen.height - 1))
        width = max(1, min(rect.x + rect.width, self.screen.width) - x)
        return Rect(x, y, width, max(1, min(rect.y + rect.height, self.screen.height) - y))

    # What the server sends.

    async def _update(self) -> None:
        await self._updates.read()
        # Some servers take an update of the pointer or size alone as the answer, others do not: not to ask
        # again could mean to wait for ever.
        self._asked = None
        if self._updates.resized:
            self._updates.resized = False
            self._whole = True
            self._continuous = None
        if self.updated is not None:
            self.updated()

    async def _colours(self) -> None:
        """Colours of a palette, of which a true-colour screen has none."""
        (count,) = struct.unpack("!xxxH", await self._reader.exactly(5))
        await self._reader.skip(count * 6)

    async def _bell(self) -> None:
        if self.rang is not None:
            self.rang()

    async def _cut_text(self) -> None:
        await self._reader.exactly(3)
        text = await self._reader.text(MAX_CUT_TEXT, KEPT_CUT_TEXT, "clipboard")
        if self.copied is not None:
            self.copied(text.decode("latin-1"))

    async def _continuous_offered(self) -> None:
        """EndOfContinuousUpdates: the first one is the offer, later ones answer `rest`."""
        self.features.continuous_updates = True

    async def _fence(self) -> None:
        flags, length = struct.unpack("!3xIB", await self._reader.exactly(8))
        if length > MAX_FENCE:
            raise VncError(f"the VNC server sent a fence of {length} bytes: {MAX_FENCE} are allowed")
        payload = await self._reader.exactly(length)
        self.features.fence = True
        if flags & _FENCE_REQUEST:
            self._stream.write(messages.fence(flags & _FENCE_KNOWN, payload))
            await self._drained()

    async def _drained(self) -> None:
        """Answers are kept while the server does not read; not for ever, and so not without a bound."""
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self._stream.drain()
        except TimeoutError:
            raise VncError(
                "the VNC server does not take what it asked for", "Open the screen again."
            ) from None
