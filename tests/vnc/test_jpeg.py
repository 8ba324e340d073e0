"""Pictures as JPEG: read whole or refused in words, whatever is in them."""

from __future__ import annotations

import asyncio
import io
import random
import struct

import numpy as np
import pytest
from PIL import Image

from pilot.errors import BackendError, BusyError, DeadlineError
from pilot.vnc import jpeg
from tests.support.waiting import until


def picture(width: int = 64, height: int = 48, mode: str = "RGB", **how: object) -> bytes:
    """A JPEG of a red field."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (250, 10, 10)).convert(mode).save(out, "JPEG", **how)
    return out.getvalue()


def saying(data: bytes, width: int, height: int) -> bytes:
    """The same, but its header says that it is so large."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_it_is_what_was_drawn(mode: str) -> None:
    screen = jpeg.decode(picture(mode=mode))
    assert (screen.width, screen.height) == (64, 48)
    red, green, _ = (int(value) for value in np.asarray(screen.pixels).reshape(-1, 3).mean(axis=0))
    assert red > 60
    assert mode != "RGB" or (red > 240 and green < 30)


def test_progressive_ones_are_read() -> None:
    assert jpeg.decode(picture(progressive=True)).width == 64


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no JPEG"),
        (b"<html>502 Bad Gateway</html>", "no JPEG"),
        (b"\xff\xd8\xff", "no JPEG that can be read"),
        (picture()[:200], "no JPEG that can be read|cut off or damaged"),
        (picture(640, 480, quality=95)[:-400], "cut off or damaged"),
        (saying(picture(), 60_000, 60_000), "60,000 by 60,000 pixels|larger than any screen"),
        (saying(picture(), 8000, 8000), "8,000 by 8,000 pixels"),
        (saying(picture(), 9000, 10), "9,000 by 10 pixels"),
        (b"\xff\xd8" + b"\xff\xda" * 200, "200 scans"),
        (b"\xff\xd8" + bytes(jpeg.MOST_BYTES), "bytes"),
    ],
)
def test_what_is_hostile_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(BackendError, match=words) as refused:
        jpeg.decode(data)
    assert refused.value.hint


def test_anything_damaged_is_read_or_refused() -> None:
    chance, good = random.Random(8), picture(120, 90, quality=90)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(2, len(data))] = chance.randrange(256)
        try:
            screen = jpeg.decode(bytes(data))
        except BackendError:
            continue
        assert screen.width * screen.height <= 4096 * 4096


async def test_a_deadline_and_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await jpeg.decoded(picture(), 30)).width == 64
    # One that takes for ever has none; a thread cannot be ended, so no other begins beside it.
    import threading

    go_on, decode = threading.Event(), jpeg.decode

    def slow(data: bytes) -> object:
        go_on.wait(60)
        return decode(data)

    monkeypatch.setattr(jpeg, "decode", slow)
    with pytest.raises(DeadlineError, match=r"not decoded within 0\.05 s"):
        await jpeg.decoded(picture(), 0.05)
    with pytest.raises(BusyError, match="still being decoded"):
        await jpeg.decoded(picture(), 30)
    go_on.set()

    async def again() -> bool:
        try:
            return (await jpeg.decoded(picture(), 30)).width == 64
        except BusyError:
            return False

    await until(again, 30, "another is decoded")
    with pytest.raises(BackendError, match="no JPEG"):
        await jpeg.decoded(b"nothing")
    await asyncio.sleep(0)
