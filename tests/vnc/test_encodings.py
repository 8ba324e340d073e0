"""What a server draws, encoding by encoding."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.errors import VncError
from pilot.vnc.framebuffer import Rect
from tests.vnc.scripted import (
    Scripted,
    Zrle,
    cpixel,
    picture,
    raw,
    rectangle,
    run_length,
    shaken,
    tile,
    told,
    update,
)

KINDS = ("raw", "solid", "packed", "runs", "palette runs")


async def test_raw_pixels_stand_where_they_were_sent() -> None:
    client, server = await shaken(40, 30)
    client.screen.take_dirty()
    part = picture(10, 5)
    await told(client, server, update(raw(3, 4, part)))
    assert (client.screen.packed[4:9, 3:13] == part).all()
    assert client.screen.packed.sum() == part.sum()
    assert client.screen.take_dirty() == [Rect(3, 4, 10, 5)]
    assert client.screen.generation == 1


async def test_red_is_red() -> None:
    client, server = await shaken()
    await told(client, server, update(rectangle(0, 0, 1, 1, 0, bytes([250, 20, 3, 99]))))
    assert client.screen.pixels[0, 0].tolist() == [250, 20, 3]
    assert client.screen.rgb(Rect(0, 0, 1, 1)).tobytes() == bytes([250, 20, 3])


async def test_a_raw_rectangle_larger_than_what_is_kept_at_once() -> None:
    client, server = await shaken(1000, 300)
    whole = picture(1000, 300)
    await told(client, server, update(raw(0, 0, whole)))
    assert (client.screen.packed == whole).all()


@pytest.mark.parametrize(("x", "y"), [(2, 3), (0, 0), (5, 1), (20, 20)])
async def test_pixels_are_copied_though_both_places_overlap(x: int, y: int) -> None:
    client, server = await shaken(40, 30)
    whole = picture(40, 30)
    copied = whole[2:12, 3:23].copy()
    await told(client, server, update(raw(0, 0, whole), rectangle(x, y, 20, 10, 1, struct.pack("!HH", 3, 2))))
    whole[y : y + 10, x : x + 20] = copied
    assert (client.screen.packed == whole).all()


@pytest.mark.parametrize("colours", [1, 2, 3, 4, 5, 16, 17, 127, 128, 4000])
@pytest.mark.parametrize("kind", KINDS)
async def test_zrle_tiles_of_each_kind_and_number_of_colours(kind: str, colours: int) -> None:
    client, server = await shaken(150, 70)
    whole = picture(150, 70, colours)
    await told(client, server, update(Zrle().picture(0, 0, whole, [kind])))
    assert (client.screen.packed == whole).all()


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 140), st.integers(1, 140)),
    colours=st.sampled_from([1, 2, 4, 9, 16, 40, 126, 127, 200, 5000]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    chunk=st.sampled_from([1, 7, 1000, 1 << 20]),
    seed=st.integers(0, 1000),
)
async def test_zrle_gives_any_picture_back(
    size: tuple[int, int], colours: int, kinds: Sequence[str], chunk: int, seed: int
) -> None:
    client, server = await shaken(150, 150)
    server.largest_read = chunk
    zrle = Zrle()
    first, second = picture(*size, colours, seed), picture(*size, colours, seed + 1)
    left, top = 150 - size[0], 150 - size[1]
    await told(
        client,
        server,
        update(zrle.picture(0, 0, first, kinds), zrle.picture(left, top, second, kinds)),
    )  # the second is of the same zlib stream
    expected = np.zeros((150, 150), "<u4")
    expected[: size[1], : size[0]] = first
    expected[top:, left:] = second
    assert (client.screen.packed == expected).all()


async def test_a_zrle_run_may_be_as_long_as_its_tile() -> None:
    client, server = await shaken(64, 64)
    await told(
        client, server, update(Zrle().rectangle(0, 0, 64, 64, b"\x80" + cpixel(0x123456) + run_length(4096)))
    )
    assert (client.screen.packed == 0x123456).all()


async def test_zrle_indices_of_colours_that_were_not_given_are_black() -> None:
    client, server = await shaken(8, 1)
    tiles = bytes([3]) + cpixel(1) + cpixel(2) + cpixel(3) + bytes([0b00011011, 0b11100100])
    await told(client, server, update(Zrle().rectangle(0, 0, 8, 1, tiles)))
    assert client.screen.packed.tolist() == [[1, 2, 3, 0, 0, 3, 2, 1]]


ONE = tile(picture(8, 8, 1), "solid")


@pytest.mark.parametrize(
    ("tiles", "words"),
    [
        (b"", "ends before its last pixel"),
        (ONE[:-1], "ends before its last pixel"),
        (b"\x00" + bytes(8 * 8 * 3 - 1), "ends before its last pixel"),
        (b"\x02" + bytes(6) + bytes(7), "ends before its last pixel"),
        (b"\x80" + bytes(3) + b"\xff\xff", "ends before its last pixel"),
        (b"\x82" + bytes(6) + b"\x80\xff", "ends before its last pixel"),
        (b"\x82" + bytes(5), "ends before its last pixel"),
        (b"\x80" + bytes(3) + run_length(65), "longer than its tile"),
        (b"\x82" + bytes(6) + b"\x80" + run_length(65), "longer than its tile"),
        (b"\x82" + bytes(6) + b"\x80" + b"\xff" * 300 + b"\x00", "longer than its tile"),
        (bytes([17]), "kind 17"),
        (bytes([127]), "kind 127"),
        (bytes([129]), "kind 129"),
        (ONE + b"\x00", "more than its pixels"),
        (ONE + bytes(100), "more than its pixels"),
        (ONE + bytes(50_000_000), "more than its pixels"),  # a bomb: some 50 KB until it is inflated
    ],
)
async def test_zrle_that_is_not_its_rectangle_is_refused(tiles: bytes, words: str) -> None:
    client, server = await shaken(64, 64)
    message = Zrle().rectangle(0, 0, 8, 8, tiles)
    with pytest.raises(VncError) as caught:
        await told(client, server, update(message))
    assert words in caught.value.message or "bytes for 8 by 8 pixels" in caught.value.message


async def test_a_bomb_in_zrle_is_not_inflated() -> None:
    client, server = await shaken(1024, 1024)
    bomb = Zrle().rectangle(0, 0, 1024, 1024, bytes(200_000_000))
    with pytest.raises(VncError, match="more than its pixels"):
        await told(client, server, update(bomb))
    assert len(client._updates._inflater.data) < 1 << 20


async def test_zrle_that_is_longer_than_its_pixels_is_not_read() -> None:
    client, server = await shaken(64, 64)
    server.feed(update(rectangle(0, 0, 64, 64, 16, struct.pack("!I", 0x7FFFFFFF))))
    with pytest.raises(VncError, match=r"2,147,483,647 bytes for 64 by 64 pixels"):
        await client.run()


@pytest.mark.parametrize("data", [b"rubbish", b"\x78\x9c\x03\x00\x00\x00\x00\x01"])
async def test_zrle_that_is_no_zlib_stream_is_refused(data: bytes) -> None:
    client, server = await shaken(64, 64)
    with pytest.raises(VncError, match=r"cannot be decompressed|ended its ZRLE stream"):
        await told(client, server, update(rectangle(0, 0, 8, 8, 16, struct.pack("!I", len(data)) + data)))


@pytest.mark.parametrize(
    "bad",
    [
        rectangle(39, 0, 2, 1, 0),
        rectangle(0, 29, 1, 2, 0),
        rectangle(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0),
        rectangle(0, 0, 0xFFFF, 1, 16),
        rectangle(0, 0, 10, 10, 1, struct.pack("!HH", 31, 0)),
        rectangle(0, 0, 10, 10, 1, struct.pack("!HH", 0, 0xFFFF)),
    ],
)
async def test_rectangles_outside_of_the_screen_are_refused(bad: bytes) -> None:
    client, server = await shaken(40, 30)
    with pytest.raises(VncError, match="outside of its screen of 40 by 30"):
        await told(client, server, update(bad))


async def test_empty_rectangles_are_nothing() -> None:
    client, server = await shaken(40, 30)
    client.screen.take_dirty()
    empty = [
        rectangle(0, 0, 0, 5, 0),
        rectangle(40, 30, 0, 0, 1, bytes(4)),
        Zrle().rectangle(0, 0, 0, 0, b""),
    ]
    await told(client, server, update(*empty), update())
    assert client.screen.generation == 2
    assert client.screen.take_dirty() == []


async def test_an_update_may_not_draw_the_screen_again_and_again() -> None:
    client, server = await shaken(40, 30)
    copy = rectangle(0, 0, 40, 30, 1, bytes(4))
    with pytest.raises(VncError, match="more than 16 times in one update"):
        await told(client, server, update(*[copy] * 17))


async def test_what_was_not_asked_for_is_refused() -> None:
    client, server = await shaken(40, 30)
    with pytest.raises(VncError, match="encoding 7,"):
        await told(client, server, update(rectangle(0, 0, 1, 1, 7)))


async def test_long_decoding_lets_the_others_run() -> None:
    client, server = await shaken(2000, 2000)
    part = tile(picture(64, 64, 4000), "runs")
    server.feed(update(Zrle().rectangle(0, 0, 1984, 1984, part * 31 * 31)))
    server.end()
    reading = asyncio.create_task(client.run())
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    await reading
    assert turns > 3


def test_a_scripted_server_can_say_all_kinds() -> None:
    """The test's encoder does use what it is asked for."""
    part = picture(64, 64, 3)
    assert [tile(part, kind)[0] for kind in ("raw", "packed", "runs", "palette runs")] == [0, 3, 128, 131]
    assert tile(picture(64, 64, 1), "solid")[0] == 1
    assert Scripted().sent == b""
