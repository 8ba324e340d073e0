"""What a server says its screen looks like: FramebufferUpdate, rectangle by rectangle (RFC 6143, 7.6.1)."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from pilot.errors import VncError
from pilot.vnc.encodings import Encoding, Pointer, check_inside, copy_rect, cursor, raw
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.handshake import KEPT, MAX_NAME, words
from pilot.vnc.stream import Reader
from pilot.vnc.zrle import Inflater, zrle

MAX_COVERED = 16
"""How many times one update may draw the whole screen."""

_BEGIN = struct.Struct("!xH")
_RECTANGLE = struct.Struct("!4Hi")
_SCREEN = struct.Struct("!I8xI")
_UNTIL_LAST = 0xFFFF
_ASKED_HERE = 1
_REASONS = {
    1: "the server does not allow it",
    2: "the server has no memory for it",
    3: "the server takes no such size",
    4: "the guest was asked, and decides",
}


@dataclass
class Features:
    """What the server has offered so far; it does so in its first messages after the handshake."""

    extended_keys: bool = False
    """It takes scancodes."""
    continuous_updates: bool = False
    """It sends updates by itself."""
    fence: bool = False
    set_size: bool = False
    """It takes another size; whether it will is its answer's matter."""
    leds: bool = False


class Leds(NamedTuple):
    """The lights of the guest's keyboard."""

    scroll_lock: bool = False
    num_lock: bool = False
    caps_lock: bool = False


class SizeAnswer(NamedTuple):
    """What became of a size that was asked for."""

    done: bool
    why: str = ""
    """If it was not done."""


class Layout(NamedTuple):
    """The first of the screens that make up the picture; its number and flags are the server's."""

    number: int = 0
    flags: int = 0


class Updates:
    """Reads updates into a Framebuffer and keeps what comes with them."""

    def __init__(self, reader: Reader, screen: Framebuffer, name: str) -> None:
        self.screen = screen
        self.name = name
        self.features = Features()
        self.cursor: Pointer | None = None
        self.leds = Leds()
        self.layout = Layout()
        self.answer: SizeAnswer | None = None
        """To the last size that was asked for."""
        self.resized = False
        """Whether the screen got another size, and is to be asked for as a whole."""
        self._covered = 0
        self._reader = reader
        self._inflater = Inflater()
        self._drawing: dict[int, Callable[[Rect], Awaitable[None]]] = {
            Encoding.RAW: lambda rect: raw(reader, screen, rect),
            Encoding.COPY_RECT: lambda rect: copy_rect(reader, screen, rect),
            Encoding.ZRLE: lambda rect: zrle(reader, self._inflater, screen, rect),
        }
        self._telling: dict[int, Callable[[Rect], Awaitable[None]]] = {
            Encoding.DESKTOP_SIZE: self._desktop_size,
            Encoding.EXTENDED_DESKTOP_SIZE: self._extended_desktop_size,
            Encoding.CURSOR: self._cursor,
            Encoding.DESKTOP_NAME: self._desktop_name,
            Encoding.QEMU_EXTENDED_KEY: self._extended_keys,
            Encoding.QEMU_LED_STATE: self._led_state,
        }

    async def read(self) -> None:
        """One update, its type read already.

        Raises:
            VncError: it is malformed.
        """
        reader = self._reader
        (count,) = await reader.unpack(_BEGIN)
        self._covered = 0
        for _ in range(count):
            x, y, width, height, encoding = await reader.unpack(_RECTANGLE)
            if encoding == Encoding.LAST_RECT:
                break
            rect = Rect(x, y, width, height)
            if (tell := self._telling.get(encoding)) is not None:
                await tell(rect)
            elif (draw := self._drawing.get(encoding)) is not None:
                await self._draw(draw, rect)
            else:
                raise VncError(f"the VNC server sent encoding {encoding}, which was not asked for")
            await reader.rest()
        else:
            if count == _UNTIL_LAST:
                raise VncError("the VNC server sent an update without an end")
        self.screen.generation += 1

    async def _draw(self, draw: Callable[[Rect], Awaitable[None]], rect: Rect) -> None:
        check_inside(rect, self.screen)
        self._cover(rect)
        await draw(rect)
        if rect.width and rect.height:
            self.screen.touch(rect)

    def _cover(self, rect: Rect) -> None:
        """Count the pixels that one update costs: whoever sends few bytes can ask for many."""
        self._covered += rect.width * rect.height
        if self._covered > MAX_COVERED * max(self.screen.packed.size, rect.width * rect.height):
            raise VncError(f"the VNC server drew its screen more than {MAX_COVERED} times in one update")

    def _resize(self, rect: Rect) -> None:
        if (rect.width, rect.height) == (self.screen.width, self.screen.height):
            return
        self._cover(rect)
        try:
            self.screen.resize(rect.width, rect.height)
        except ValueError as error:
            raise VncError(f"the VNC server offers {error}") from None
        self.resized = True

    async def _desktop_size(self, rect: Rect) -> None:
        self._resize(rect)

    async def _extended_desktop_size(self, rect: Rect) -> None:
        """The reason stands in place of x, the result in place of y."""
        (count,) = struct.unpack("!B3x", await self._reader.exactly(4))
        for index in range(count):
            number, flags = await self._reader.unpack(_SCREEN)
            if index == 0:
                self.layout = Layout(number, flags)
        self.features.set_size = True
        if rect.x == _ASKED_HERE:
            why = _REASONS.get(rect.y, f"the server says {rect.y}") if rect.y else ""
            self.answer = SizeAnswer(not rect.y, why)
            if rect.y:
                return  # the size is only what was asked for
        self._resize(rect)

    async def _cursor(self, rect: Rect) -> None:
        self.cursor = await cursor(self._reader, rect)

    async def _desktop_name(self, _: Rect) -> None:
        self.name = words(await self._reader.text(MAX_NAME, KEPT, "name"))

    async def _extended_keys(self, _: Rect) -> None:
        self.features.extended_keys = True

    async def _led_state(self, _: Rect) -> None:
        (lights,) = await self._reader.exactly(1)
        self.leds = Leds(bool(lights & 1), bool(lights & 2), bool(lights & 4))
        self.features.leds = True
