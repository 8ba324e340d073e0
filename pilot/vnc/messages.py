"""What a client says to a VNC server: the messages of RFB 3.8 (RFC 6143, 7.5) and of its extensions.

The extensions are described in the rfbproto document of the TigerVNC project.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pilot.vnc.framebuffer import Rect
from pilot.vnc.keyboard import Key

MAX_CUT_TEXT = 64 * 1024
"""Characters offered to the guest's clipboard."""

_EXTENDED = 0xE000

PIXEL_FORMAT = struct.pack("!B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)
"""SetPixelFormat: 32 bits, 24 of them colour, little endian, red lowest, as in Framebuffer.packed."""


def set_encodings(encodings: Sequence[int]) -> bytes:
    """What may be sent, the best first."""
    return struct.pack(f"!BxH{len(encodings)}i", 2, len(encodings), *encodings)


def request(incremental: bool, rect: Rect) -> bytes:
    """FramebufferUpdateRequest."""
    return struct.pack("!BB4H", 3, incremental, *rect)


def key_event(key: Key, down: bool) -> bytes:
    """KeyEvent: the server finds the key from its keysym by a keymap of its own."""
    return struct.pack("!BB2xI", 4, down, key.keysym)


def extended_key_event(key: Key, down: bool) -> bytes:
    """QEMU's extended key event; extended scancodes are the lower byte with its highest bit set."""
    code = key.scancode & 0xFF | (0x80 if key.scancode >= _EXTENDED else 0)
    return struct.pack("!BBHII", 255, 0, down, key.keysym, code)


def pointer_event(x: int, y: int, buttons: int) -> bytes:
    """PointerEvent: where it is, and which buttons are down."""
    return struct.pack("!BBHH", 5, buttons, x, y)


def cut_text(text: str) -> bytes:
    """ClientCutText. It is Latin-1 without the extended clipboard; what is not becomes a question mark."""
    data = text[:MAX_CUT_TEXT].replace("\r\n", "\n").encode("latin-1", "replace")
    return struct.pack("!B3xI", 6, len(data)) + data


def fence(flags: int, payload: bytes) -> bytes:
    """ClientFence: the answer to a server's."""
    return struct.pack("!B3xIB", 248, flags, len(payload)) + payload


def continuous_updates(enable: bool, rect: Rect) -> bytes:
    """EnableContinuousUpdates."""
    return struct.pack("!BB4H", 150, enable, *rect)


def set_desktop_size(width: int, height: int, screen: int, flags: int) -> bytes:
    """SetDesktopSize to one screen, which has the number and the flags the server gave it."""
    return struct.pack("!BxHHBxI4HI", 251, width, height, 1, screen, 0, 0, width, height, flags)
