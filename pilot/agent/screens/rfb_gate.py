"""What an RFB client may say to a node's VNC server: parsed message by message, and only what is known.

The protocol is RFC 6143; the extensions are those of the community's rfbproto
(https://github.com/rfbproto/rfbproto) that QEMU's server speaks. What the server answers is not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from pilot.errors import WireError

MAX_CUT = 64 * 1024
"""Bytes of the longest text that a viewer may put on the guest's clipboard; a longer one is dropped."""
MAX_DROPPED = 16 * 1024 * 1024
"""Bytes of one that is dropped; with a longer one the stream ends."""
MAX_ENCODINGS = 256
MAX_HELD = 64
"""Keys that are held down at the same time, as far as they are remembered."""

_VERSIONS = (b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n")
_NO_SECURITY = 1
_SHARED, _ALONE = b"\x01", b"\x00"

_PIXEL_FORMAT, _ENCODINGS, _UPDATE, _KEY, _POINTER, _CUT = 0, 2, 3, 4, 5, 6
_CONTINUOUS, _FENCE, _XVP, _DESKTOP_SIZE, _QEMU = 150, 248, 250, 251, 255
_FIXED = {_PIXEL_FORMAT: 20, _UPDATE: 10, _KEY: 8, _POINTER: 6, _CONTINUOUS: 10, _XVP: 4}
"""Lengths of the messages that always have the same."""
_QEMU_KEY, _QEMU_AUDIO = 0, 1
_AUDIO_FORMAT = 2
_NOT_OFFERED = (-259, -309, -316)
"""Audio, xvp (power) and extended mouse buttons: pseudo-encodings that ask for messages which are not let
through. Taken out of what a client offers, they are not agreed on in the first place."""


class RfbGate:
    """One client's half of an RFB stream."""

    def __init__(self, *, controlling: bool, exclusive: bool) -> None:
        """`exclusive`: the server is asked to send all other clients away; else never."""
        self.controlling = controlling
        self._exclusive = exclusive
        self._buffer = bytearray()
        self._dropping = 0
        self._step: Callable[[], bytes | None] = self._version
        self._held: dict[bytes, None] = {}
        self._pointer = b""

    def feed(self, data: bytes) -> bytes:
        """Take what a client sends; gives what of it the server is to get.

        Raises:
            WireError: it is not what an RFB client says.
        """
        self._buffer += data
        out = bytearray()
        while True:
            if self._dropping:
                dropped = min(self._dropping, len(self._buffer))
                del self._buffer[:dropped]
                self._dropping -= dropped
            if self._dropping or not self._buffer:
                break
            passed = self._step()
            if passed is None:
                break
            out += passed
        return bytes(out)

    def only_watch(self) -> bytes:
        """Let no input through from now on; gives what releases all that the client holds down."""
        self.controlling = False
        releases = b"".join(self._held) + self._pointer
        self._held.clear()
        self._pointer = b""
        return releases

    # --- the handshake --------------------------------------------------------------------------

    def _version(self) -> bytes | None:
        version = self._take(12)
        if version is None:
            return None
        if version not in _VERSIONS:
            raise WireError(
                f"a viewer that speaks {version!r}, not RFB 3.3, 3.7 or 3.8",
                "Use a viewer that speaks RFB 3.8, as nearly all do.",
            )
        # In 3.3 the server decides on security, and the client says nothing.
        self._step = self._init if version == _VERSIONS[0] else self._security
        return version

    def _security(self) -> bytes | None:
        kind = self._take(1)
        if kind is None:
            return None
        if kind[0] != _NO_SECURITY:
            raise WireError(
                f"a viewer that asks for security type {kind[0]}: airboss has let it in already",
                "Let it take type 1 (None). A domain whose VNC has a password offers no such type over SSH.",
            )
        self._step = self._init
        return kind

    def _init(self) -> bytes | None:
        if self._take(1) is None:
            return None
        self._step = self._message
        return _ALONE if self._exclusive else _SHARED

    # --- messages -------------------------------------------------------------------------------

    def _message(self) -> bytes | None:
        kind = self._buffer[0]
        if kind == _CUT:
            return self._cut()
        length = self._length(kind)
        if length is None or (message := self._take(length)) is None:
            return None
        if kind == _ENCODINGS:
            return _offered(message)
        if kind in (_UPDATE, _PIXEL_FORMAT, _CONTINUOUS, _FENCE):
            return message
        if kind == _XVP or (kind == _QEMU and message[1] != _QEMU_KEY) or not self.controlling:
            return b""
        if kind != _DESKTOP_SIZE:
            self._remember(kind, message)
        return message

    def _length(self, kind: int) -> int | None:
        """Of the message that begins the buffer; None if that is not known yet."""
        have = len(self._buffer)
        if kind in _FIXED:
            return _FIXED[kind]
        if kind == _ENCODINGS:
            if have < 4:
                return None
            count = int.from_bytes(self._buffer[2:4], "big")
            if count > MAX_ENCODINGS:
                raise WireError(f"a viewer with {count} encodings, {MAX_ENCODINGS} at most are read")
            return 4 + 4 * count
        if kind == _FENCE:
            if have < 9:
                return None
            if self._buffer[8] > 64:
                raise WireError(f"a fence of {self._buffer[8]} bytes, 64 at most are allowed")
            return 9 + self._buffer[8]
        if kind == _DESKTOP_SIZE:
            return 8 + 16 * self._buffer[6] if have >= 7 else None
        if kind == _QEMU:
            return self._qemu_length(have)
        raise WireError(f"a viewer's message of type {kind}, which is not one that airboss lets through")

    def _qemu_length(self, have: int) -> int | None:
        if have < 4:
            return None
        if self._buffer[1] == _QEMU_KEY:
            return 12
        if self._buffer[1] == _QEMU_AUDIO:
            return 10 if int.from_bytes(self._buffer[2:4], "big") == _AUDIO_FORMAT else 4
        raise WireError(f"a viewer's QEMU message of type {self._buffer[1]}, which is not known")

    def _cut(self) -> bytes | None:
        if len(self._buffer) < 8:
            return None
        # A negative length is that of the extended clipboard's form.
        (said,) = struct.unpack(">i", self._buffer[4:8])
        length = 8 + abs(said)
        if length > MAX_DROPPED:
            raise WireError(f"a viewer's clipboard of {abs(said):,} bytes")
        if not self.controlling or abs(said) > MAX_CUT:
            self._dropping = length
            return b""
        return self._take(length)

    def _remember(self, kind: int, message: bytes) -> None:
        """Keep in mind what is held down."""
        if kind == _POINTER:
            self._pointer = bytes((_POINTER, 0)) + message[2:] if message[1] else b""
            return
        if kind == _KEY:
            down, release = message[1], bytes((_KEY, 0)) + message[2:]
        else:
            down, release = int.from_bytes(message[2:4], "big"), message[:2] + b"\0\0" + message[4:]
        if not down:
            self._held.pop(release, None)
        elif len(self._held) < MAX_HELD:
            self._held[release] = None

    def _take(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken


def _offered(message: bytes) -> bytes:
    """SetEncodings without what is not let through."""
    encodings = struct.unpack(f">{(len(message) - 4) // 4}i", message[4:])
    kept = [encoding for encoding in encodings if encoding not in _NOT_OFFERED]
    return struct.pack(f">BxH{len(kept)}i", _ENCODINGS, len(kept), *kept)
