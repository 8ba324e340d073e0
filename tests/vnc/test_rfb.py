"""What else a server and its client tell each other."""

from __future__ import annotations

import asyncio
import struct

import numpy as np
import pytest

from pilot.errors import VncError
from pilot.vnc import rfb
from pilot.vnc.encodings import PREFERRED
from pilot.vnc.framebuffer import Rect
from pilot.vnc.keyboard import Key
from pilot.vnc.keys import combination, strokes
from pilot.vnc.rfb import RfbClient, SizeAnswer
from tests.support.waiting import until
from tests.vnc.scripted import GREETING, Scripted, picture, raw, rectangle, server_init, shaken, told, update

ALL = struct.pack("!BB4H", 3, 0, 0, 0, 40, 30)
CHANGED = struct.pack("!BB4H", 3, 1, 0, 0, 40, 30)
EXTENDED_KEYS = rectangle(0, 0, 0, 0, -258)
OFFERS_CONTINUOUS = b"\x96"


def extended_size(
    reason: int, result: int, width: int, height: int, screens: tuple[tuple[int, int], ...] = ((7, 9),)
) -> bytes:
    data = struct.pack("!B3x", len(screens))
    data += b"".join(struct.pack("!I4HI", number, 0, 0, width, height, flags) for number, flags in screens)
    return rectangle(reason, result, width, height, -308, data)


async def running(client: RfbClient) -> asyncio.Task[None]:
    return asyncio.create_task(client.run())


async def test_the_server_is_told_the_pixel_format_and_the_encodings() -> None:
    server = Scripted(GREETING + server_init(40, 30))
    await RfbClient(server, encodings=(16, -239)).handshake()
    assert bytes(server.sent)[14:] == (
        b"\x00\x00\x00\x00" + bytes([32, 24, 0, 1]) + struct.pack("!3H", 255, 255, 255) + bytes([0, 8, 16])
        + bytes(3) + b"\x02\x00\x00\x02" + struct.pack("!2i", 16, -239)
    )  # fmt: skip
    assert len(PREFERRED) == len(set(PREFERRED))


async def test_two_updates_are_never_asked_for_at_once() -> None:
    client, server = await shaken()
    seen: list[bool] = []
    client.updated = lambda: seen.append(client.waiting)
    run = await running(client)
    assert client.request()
    assert client.waiting
    assert not client.request()
    assert server.take() == ALL
    server.feed(update(raw(0, 0, picture(40, 30))))
    await until(lambda: seen)
    assert seen == [False]
    assert client.request()
    assert client.request(False) is False
    assert server.take() == CHANGED
    server.end()
    await run


async def test_how_long_the_answer_takes_is_known() -> None:
    now = [5.0]
    server = Scripted(GREETING + server_init(40, 30))
    client = RfbClient(server, clock=lambda: now[0])
    await client.handshake()
    assert client.waited == 0
    client.request()
    now[0] = 17.5
    assert client.waited == 12.5


async def test_a_part_is_asked_for_as_far_as_it_is_on_the_screen() -> None:
    client, server = await shaken()
    client.request()
    server.feed(update())
    run = await running(client)
    await until(lambda: not client.waiting)
    server.take()
    client.request(True, Rect(30, -5, 100, 10))
    assert server.take() == struct.pack("!BB4H", 3, 1, 30, 0, 10, 5)
    server.end()
    await run


async def test_a_server_that_sends_by_itself_is_told_once() -> None:
    client, server = await shaken()
    run = await running(client)
    server.feed(OFFERS_CONTINUOUS)
    await until(lambda: client.features.continuous_updates)
    assert client.request()  # what there is already
    assert server.take() == ALL
    server.feed(update())
    await until(lambda: not client.waiting)
    assert not client.request()
    assert not client.request()
    assert not client.waiting
    assert server.take() == struct.pack("!BB4H", 150, 1, 0, 0, 40, 30)
    client.rest()
    client.rest()
    assert server.take() == struct.pack("!BB4H", 150, 0, 0, 0, 40, 30)
    server.feed(OFFERS_CONTINUOUS)  # this time it says that it has stopped
    client.request()
    client.request(True, Rect(1, 2, 3, 4))
    assert server.take() == struct.pack("!BB4H", 150, 1, 0, 0, 40, 30) + struct.pack(
        "!BB4H", 150, 1, 1, 2, 3, 4
    )
    server.feed(update(rectangle(0, 0, 50, 20, -223)))
    await until(lambda: client.screen.width == 50)
    client.request()
    assert server.take() == struct.pack("!BB4H", 3, 0, 0, 0, 50, 20)
    server.end()
    await run


async def test_another_size_keeps_what_fits_and_is_asked_for_as_a_whole() -> None:
    client, server = await shaken()
    client.request()
    server.take()
    whole = picture(40, 30)
    await told(client, server, update(raw(0, 0, whole)), update(rectangle(0, 0, 50, 20, -223)))
    assert (client.screen.width, client.screen.height) == (50, 20)
    assert (client.screen.packed[:, :40] == whole[:20]).all()
    client.request()
    assert server.take() == struct.pack("!BB4H", 3, 0, 0, 0, 50, 20)


async def test_the_same_size_again_is_none() -> None:
    client, server = await shaken()
    client.request()
    await told(client, server, update(rectangle(0, 0, 40, 30, -223)))
    server.take()
    client.request()
    assert server.take() == CHANGED


@pytest.mark.parametrize("encoding", [-223, -308])
@pytest.mark.parametrize("size", [(0, 0), (0, 10), (65535, 65535), (8193, 1)])
async def test_no_size_is_believed_that_no_screen_has(encoding: int, size: tuple[int, int]) -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match=r"a screen of|more than 16 times"):
        await told(client, server, update(rectangle(0, 0, *size, encoding, bytes(4))))


async def test_a_screen_that_grows_and_shrinks_without_end_is_refused() -> None:
    client, server = await shaken()
    sizes = [rectangle(0, 0, 4096, 4096, -223), rectangle(0, 0, 1, 1, -223)]
    with pytest.raises(VncError, match="more than 16 times"):
        await told(client, server, update(*sizes * 20))


async def test_another_size_is_asked_for_with_the_servers_own_screen() -> None:
    client, server = await shaken()
    assert not client.ask_size(64, 48)
    answers: list[SizeAnswer | None] = []
    client.updated = lambda: answers.append(client.size_answer)
    run = await running(client)
    server.feed(update(extended_size(0, 0, 40, 30, ((7, 9), (8, 1)))))
    await until(lambda: answers)
    assert answers == [None]
    assert client.ask_size(64, 48)
    assert server.take() == struct.pack("!BxHHBxI4HI", 251, 64, 48, 1, 7, 0, 0, 64, 48, 9)
    server.feed(update(extended_size(1, 0, 64, 48)))
    await until(lambda: client.size_answer)
    assert client.size_answer == SizeAnswer(True)
    assert (client.screen.width, client.screen.height) == (64, 48)
    server.feed(update(extended_size(2, 0, 50, 20)))  # somebody else's
    await until(lambda: client.screen.width == 50)
    assert client.ask_size(1 << 20, 0)
    assert server.take()[:6] == struct.pack("!BxHH", 251, 65535, 1)
    assert [client.size_answer] == [None]
    server.feed(update(extended_size(1, 1, 65535, 1, ())))
    await until(lambda: client.size_answer)
    assert client.size_answer == SizeAnswer(False, "the server does not allow it")
    assert client.screen.width == 50
    server.end()
    await run


async def test_an_update_may_end_with_its_last_rectangle() -> None:
    client, server = await shaken()
    whole = picture(40, 30)
    last = rectangle(0, 0, 0, 0, -224)
    await told(client, server, update(raw(0, 0, whole), last, count=0xFFFF), update(last, count=3))
    assert (client.screen.packed == whole).all()
    assert client.screen.generation == 2


async def test_an_update_without_an_end_has_one() -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match="without an end"):
        await told(client, server, update(EXTENDED_KEYS * 0xFFFF, count=0xFFFF))


async def test_the_pointers_picture_and_its_mask() -> None:
    client, server = await shaken()
    pixels = bytes([1, 2, 3, 0]) * 9 + bytes([7, 8, 9, 255])
    data = pixels + bytes([0b10101010, 0b11000000])
    await told(client, server, update(rectangle(4, 0, 10, 1, -239, data)))
    assert client.cursor is not None
    assert (client.cursor.x, client.cursor.y) == (4, 0)
    assert client.cursor.pixels.shape == (1, 10, 3)
    assert client.cursor.pixels[0, 9].tolist() == [7, 8, 9]
    assert client.cursor.mask.tolist() == [[True, False] * 4 + [True, True]]


async def test_a_pointer_may_be_hidden_and_may_not_point_beside_itself() -> None:
    client, server = await shaken()
    one = rectangle(900, 900, 1, 1, -239, bytes(4) + b"\x80")
    await told(client, server, update(one))
    assert client.cursor is not None
    assert (client.cursor.x, client.cursor.y) == (0, 0)
    client, server = await shaken()
    await told(client, server, update(one, rectangle(3, 3, 0, 0, -239)))
    assert client.cursor is not None
    assert client.cursor.pixels.size == 0


async def test_a_pointer_larger_than_any_is_refused() -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match="mouse pointer of 65535 by 65535"):
        await told(client, server, update(rectangle(0, 0, 65535, 65535, -239)))


async def test_name_and_lights_are_kept() -> None:
    client, server = await shaken()
    name = "büro\x1b[2J".encode()
    await told(
        client,
        server,
        update(rectangle(0, 0, 0, 0, -307, struct.pack("!I", len(name)) + name)),
        update(rectangle(0, 0, 0, 0, -261, b"\x06")),
    )
    assert client.name == "büro�[2J"
    assert client.leds == (False, True, True)
    assert client.features.leds


async def test_bells_ring_and_clipboards_are_kept_in_part() -> None:
    client, server = await shaken()
    rang, copied = [], list[str]()
    client.rang = lambda: rang.append(1)
    client.copied = copied.append
    await told(
        client,
        server,
        b"\x02",
        b"\x03\x00\x00\x00" + struct.pack("!I", 5) + b"caf\xe9\x07",
        b"\x03\x00\x00\x00" + struct.pack("!I", 1_000_000) + b"x" * 1_000_000,
        b"\x02",
    )
    assert len(rang) == 2
    assert copied == ["café\x07", "x" * rfb.KEPT_CUT_TEXT]


async def test_clipboards_without_end_are_refused() -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match="clipboard is 4,294,967,280 bytes"):
        await told(client, server, b"\x03\x00\x00\x00" + struct.pack("!i", -16))


async def test_a_palettes_colours_are_let_pass() -> None:
    client, server = await shaken()
    await told(client, server, struct.pack("!BxHH", 1, 0, 65535) + bytes(65535 * 6), update())
    assert client.screen.generation == 1


async def test_a_fence_is_answered_without_asking_back() -> None:
    client, server = await shaken()
    asked = struct.pack("!B3xIB", 248, 0x80000000 | 0b11111, 4) + b"ping"
    await told(client, server, asked, struct.pack("!B3xIB", 248, 0b1, 0))
    assert client.features.fence
    assert server.take() == struct.pack("!B3xIB", 248, 0b111, 4) + b"ping"


async def test_a_fence_has_a_bound() -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match="fence of 65 bytes"):
        await told(client, server, struct.pack("!B3xIB", 248, 1 << 31, 65) + bytes(65))


@pytest.mark.parametrize("kind", [4, 5, 151, 250, 255])
async def test_messages_that_were_not_asked_for_are_refused(kind: int) -> None:
    client, server = await shaken()
    with pytest.raises(VncError, match=f"a message of type {kind}"):
        await told(client, server, bytes([kind]))


async def test_keys_go_by_scancode_where_the_server_takes_them() -> None:
    client, server = await shaken()
    client.press(combination("ctrl+up"))
    assert server.take() == b"".join(
        struct.pack("!BB2xI", 4, down, keysym)
        for down, keysym in ((1, 0xFFE3), (1, 0xFF52), (0, 0xFF52), (0, 0xFFE3))
    )
    run = await running(client)
    server.feed(update(EXTENDED_KEYS))
    await until(lambda: client.features.extended_keys)
    client.press(combination("ctrl+up"))
    assert server.take() == b"".join(
        struct.pack("!BBHII", 255, 0, down, keysym, code)
        for down, keysym, code in ((1, 0xFFE3, 0x1D), (1, 0xFF52, 0xC8), (0, 0xFF52, 0xC8), (0, 0xFFE3, 0x1D))
    )
    client.key(Key(0xE9), True)
    assert server.take() == struct.pack("!BB2xI", 4, 1, 0xE9)
    server.end()
    await run


async def test_text_is_typed_stroke_by_stroke() -> None:
    client, server = await shaken()
    await client.type(strokes("aB").strokes, 0)
    assert server.take() == b"".join(
        struct.pack("!BB2xI", 4, down, keysym)
        for down, keysym in (
            (1, 0x61), (0, 0x61), (1, 0xFFE1), (1, 0x42), (0, 0x42), (0, 0xFFE1),
        )
    )  # fmt: skip


async def test_the_pointer_stays_on_the_screen() -> None:
    client, server = await shaken()
    client.pointer(3, 4, rfb.LEFT | rfb.RIGHT)
    client.wheel(400, -4, rfb.WHEEL_DOWN)
    assert server.take() == b"".join(
        struct.pack("!BBHH", 5, *event) for event in ((5, 3, 4), (21, 39, 0), (5, 39, 0))
    )


async def test_text_for_the_guests_clipboard() -> None:
    client, server = await shaken()
    client.cut("naïve\r\n→")
    assert server.take() == b"\x06\x00\x00\x00" + struct.pack("!I", 7) + b"na\xefve\n?"


async def test_a_message_that_stops_halfway_is_given_up() -> None:
    server = Scripted(GREETING + server_init(40, 30))
    client = RfbClient(server, stall_seconds=0.05)
    await client.handshake()
    run = await running(client)
    done, _ = await asyncio.wait({run}, timeout=0.2)
    assert not done  # between messages a server may rest for as long as it likes
    server.feed(update(raw(0, 0, picture(40, 30)))[:-1])
    with pytest.raises(VncError, match="stopped in the middle of a message"):
        await run


async def test_closing_ends_the_reading() -> None:
    client, server = await shaken()
    run = await running(client)
    await asyncio.sleep(0)
    client.close()
    await run
    assert server.closed


async def test_nothing_is_said_of_an_update_until_it_is_whole() -> None:
    client, server = await shaken()
    calls: list[int] = []
    client.updated = lambda: calls.append(client.screen.generation)
    whole = picture(40, 30)
    run = await running(client)
    message = update(raw(0, 0, whole[:20]), raw(0, 20, whole[20:]))
    server.feed(message[:-1])
    await until(lambda: bool(np.array_equal(client.screen.packed[:20], whole[:20])))
    assert not calls
    server.feed(message[-1:])
    await until(lambda: calls)
    assert calls == [1]
    server.end()
    await run


async def test_a_connection_that_is_lost_is_an_error_with_words() -> None:
    class Lost(Scripted):
        async def read(self) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(VncError, match=r"was lost: .*reset by peer"):
        await RfbClient(Lost()).handshake()
