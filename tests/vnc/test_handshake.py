"""How a VNC connection begins."""

from __future__ import annotations

import struct

import pytest

from pilot.errors import VncError
from pilot.vnc.rfb import RfbClient
from tests.vnc.scripted import GREETING, Scripted, server_init

SCREEN = server_init(720, 400, b"QEMU (compute-0-0)")


def reason(words: bytes) -> bytes:
    return struct.pack("!I", len(words)) + words


@pytest.mark.parametrize(
    ("said", "version", "answer"),
    [
        (b"RFB 003.003\n" + struct.pack("!I", 1), b"RFB 003.003\n", b""),
        (b"RFB 003.005\n" + struct.pack("!I", 1), b"RFB 003.003\n", b""),
        (b"RFB 003.007\n\x02\x02\x01", b"RFB 003.007\n", b"\x01"),
        (GREETING, b"RFB 003.008\n", b"\x01"),
        (b"RFB 003.889\n\x01\x01" + bytes(4), b"RFB 003.008\n", b"\x01"),
        (b"RFB 005.000\n\x01\x01" + bytes(4), b"RFB 003.008\n", b"\x01"),
    ],
)
async def test_servers_of_all_versions_are_answered_in_theirs(
    said: bytes, version: bytes, answer: bytes
) -> None:
    server = Scripted(said + SCREEN)
    client = RfbClient(server)
    await client.handshake()
    assert bytes(server.sent).startswith(version + answer + b"\x01\x00")  # shared, then SetPixelFormat
    assert (client.screen.width, client.screen.height) == (720, 400)
    assert client.name == "QEMU (compute-0-0)"


async def test_an_exclusive_client_asks_to_be_alone() -> None:
    server = Scripted(GREETING + SCREEN)
    await RfbClient(server, shared=False).handshake()
    assert bytes(server.sent).startswith(b"RFB 003.008\n\x01\x00\x00")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no VNC server: it said 'SSH-2.0-Open'"),
        (b"RFB 002.002\n", "no VNC server"),
        (b"RFB 003.003\n" + struct.pack("!I", 2), "asks for a VNC password"),
        (b"RFB 003.003\n" + bytes(4) + reason(b"too many"), "refused: too many"),
        (b"RFB 003.008\n\x02\x02\x13", "asks for a VNC password, VeNCrypt, which pilot does not know"),
        (b"RFB 003.008\n\x01\x63", "asks for security type 99"),
        (b"RFB 003.007\n\x00" + reason(b"go \x1b[31m away"), "refused: go �[31m away"),
        (b"RFB 003.008\n\x01\x01" + struct.pack("!I", 1) + reason(b""), "it did not say why"),
        (b"RFB 003.008\n\x00" + struct.pack("!I", 1 << 31), "reason is 2,147,483,648 bytes long"),
        (GREETING + struct.pack("!HH16xI", 8, 8, 1 << 30), "name is 1,073,741,824 bytes long"),
        (GREETING + server_init(0, 400), "a screen of 0 by 400 pixels"),
        (GREETING + server_init(65535, 65535), "a screen of 65535 by 65535 pixels"),
    ],
)
async def test_what_is_no_open_screen_is_refused_with_words(said: bytes, words: str) -> None:
    client = RfbClient(Scripted(said, ended=True))
    with pytest.raises(VncError) as caught:
        await client.handshake()
    assert words in caught.value.message


@pytest.mark.parametrize("version", [b"RFB 003.003\n" + struct.pack("!I", 1), GREETING])
async def test_an_end_at_each_byte_is_said(version: bytes) -> None:
    whole = version + SCREEN
    for length in range(len(whole)):
        with pytest.raises(VncError, match="ended in the middle"):
            await RfbClient(Scripted(whole[:length], ended=True)).handshake()


async def test_a_server_that_says_nothing_is_not_awaited_for_ever() -> None:
    with pytest.raises(VncError, match="did not begin"):
        await RfbClient(Scripted(b"RFB 003.0")).handshake(0.05)


async def test_it_does_not_matter_how_the_bytes_arrive() -> None:
    client = RfbClient(Scripted(GREETING + SCREEN, chunk=1))
    await client.handshake()
    assert client.screen.width == 720
