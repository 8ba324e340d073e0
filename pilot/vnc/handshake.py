"""How a VNC connection begins: versions, security, sizes (RFC 6143, 7.1 to 7.3)."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, NoReturn

from pilot.errors import VncError
from pilot.vnc.stream import Reader, Stream
from pilot.wire import plain

HANDSHAKE_SECONDS = 15.0
MAX_REASON = 64 * 1024
MAX_NAME = 64 * 1024
KEPT = 1024
"""Bytes of a reason or name that are looked at."""

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
_NONE = 1
_SECURITY = {
    2: "a VNC password",
    16: "TightVNC's security",
    18: "TLS",
    19: "VeNCrypt",
    20: "SASL",
    30: "a macOS account",
}
"""IANA's registry of RFB security types, as far as servers of VMs and desktops use it."""


class Begun(NamedTuple):
    """What the server said of its screen."""

    width: int
    height: int
    name: str


async def handshake(reader: Reader, stream: Stream, shared: bool) -> Begun:
    """Agree with a server of RFB 3.3 to 3.8 and ask for its screen.

    Raises:
        VncError: it speaks another protocol, asks for a password, refuses, or ends.
    """
    version = await _version(reader)
    stream.write(b"RFB 003.%03d\n" % version)
    await (_chosen_by_server(reader) if version == 3 else _chosen_by_us(reader, stream, version))
    stream.write(bytes([shared]))
    await stream.drain()
    width, height = struct.unpack("!HH16x", await reader.exactly(20))
    name = await reader.text(MAX_NAME, KEPT, "name")
    return Begun(width, height, words(name))


def words(text: bytes) -> str:
    """What a server said, fit to be shown."""
    return plain(text.decode("utf-8", "replace"))


async def _version(reader: Reader) -> int:
    """The minor number to go on with. Those that were never specified stand for 3.3; later ones know 3.8."""
    said = await reader.exactly(12)
    found = _VERSION.fullmatch(said)
    if found is None or int(found[1]) < 3:
        raise VncError(
            f"this is no VNC server: it said {plain(repr(said)[1:], 60)}",
            "Look at the node's graphics device: SPICE is not VNC.",
        )
    number = int(found[1]), int(found[2])
    return 8 if number >= (3, 8) else 7 if number == (3, 7) else 3


async def _chosen_by_server(reader: Reader) -> None:
    (kind,) = struct.unpack("!I", await reader.exactly(4))
    if kind == 0:
        await _refused(reader)
    if kind != _NONE:
        _unknown([kind])


async def _chosen_by_us(reader: Reader, stream: Stream, version: int) -> None:
    (count,) = await reader.exactly(1)
    if count == 0:
        await _refused(reader)
    kinds = await reader.exactly(count)
    if _NONE not in kinds:
        _unknown(kinds)
    stream.write(bytes([_NONE]))
    await stream.drain()
    if version == 8:
        (result,) = struct.unpack("!I", await reader.exactly(4))
        if result:
            await _refused(reader)


async def _refused(reader: Reader) -> NoReturn:
    reason = words(await reader.text(MAX_REASON, KEPT, "reason"))
    raise VncError(f"the VNC server refused: {reason or 'it did not say why'}", "Try again later.")


def _unknown(kinds: bytes | list[int]) -> NoReturn:
    asked = ", ".join(dict.fromkeys(_SECURITY.get(kind, f"security type {kind}") for kind in kinds[:8]))
    raise VncError(
        f"the VNC server asks for {asked}, which pilot does not know",
        "Screens are opened by airboss without a password: let the VM's VNC have none, on a local socket.",
    )
