"""The client at a real server: QEMU's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pilot.errors import VncError
from pilot.vnc.encodings import PREFERRED, Encoding
from pilot.vnc.framebuffer import Pixels
from pilot.vnc.keyboard import MODIFIERS, NAMED, PRINTING, Key, keysym_of
from pilot.vnc.keys import combination, strokes
from tests.support.waiting import until
from tests.vnc.qemu import SECONDS, Machine, Socket, Viewer, booted, viewing, write_guest

pytestmark = pytest.mark.e2e

ONLY_RAW = tuple(encoding for encoding in PREFERRED if encoding is not Encoding.ZRLE)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as path:
        yield Path(path)


async def same(machine: Machine, *viewers: Viewer) -> Pixels:
    """Wait until all show what QEMU does. A cursor blinks: they may differ for a moment."""

    async def all_same() -> list[Pixels]:
        picture = await machine.screendump()
        shown = [viewer.screen.pixels for viewer in viewers]
        return [picture] if all(np.array_equal(each, picture) for each in shown) else []

    return (await until(all_same, SECONDS, "the same picture in all viewers", 0.05))[0]


async def test_a_guest_that_boots_is_seen_and_typed_to(folder: Path) -> None:
    async with (
        booted(folder, "-S", "-boot", "menu=on,splash-time=65000") as machine,
        viewing(machine.vnc) as zrle,
        viewing(machine.vnc, ONLY_RAW) as raw,
    ):
        await until(lambda: zrle.generation, SECONDS, "a first picture")
        before = zrle.screen.width, zrle.screen.height
        await machine.tell("cont")
        await until(
            lambda: (zrle.screen.width, zrle.screen.height) == (720, 400), SECONDS, "the guest's mode"
        )
        assert before != (720, 400)
        await until(lambda: has_text(zrle, 2), SECONDS, "the BIOS's words")
        assert (await same(machine, zrle, raw)).any(axis=2).sum() > 1000
        assert zrle.name.startswith("QEMU")
        assert zrle.features.extended_keys
        assert zrle.features.leds
        assert zrle.features.set_size

        assert not has_text(zrle, 6)
        zrle.press(combination("escape"))
        await until(lambda: has_text(zrle, 6), SECONDS, "the menu")
        await same(machine, zrle, raw)

        assert zrle.ask_size(800, 600)
        await until(lambda: zrle.size_answer, SECONDS, "an answer")
        assert zrle.size_answer is not None
        assert not zrle.size_answer.done  # a card that no driver drives has no other size


def has_text(viewer: Viewer, row: int) -> bool:
    """Whether a row has text: row 0 the BIOS's name, 2 the question for Esc, 4 and 6 the menu."""
    return bool(viewer.screen.packed[row * 16 : row * 16 + 16, 9:].any())


async def test_every_key_is_the_guests_key_and_a_picture_of_many_colours(folder: Path) -> None:
    disk = write_guest(folder / "disk")
    async with (
        booted(folder, "-drive", f"file={disk},format=raw,if=ide") as machine,
        viewing(machine.vnc) as zrle,
        viewing(machine.vnc, ONLY_RAW) as raw,
    ):
        await until(lambda: machine.serial.read_bytes() == b"R", SECONDS, "the guest")
        picture = await same(machine, zrle, raw)
        assert picture.shape == (768, 1024, 3)
        assert len(np.unique(zrle.screen.packed)) > 1000

        keys = {Key(keysym_of(character), code) for character, (code, _) in PRINTING.items()}
        keys |= {key for name, key in NAMED.items() if name not in SPECIAL and not name.startswith(ODD)}
        keys |= set(MODIFIERS.values())
        for key in sorted(keys, key=lambda key: key.scancode):
            assert await typed(machine, zrle, key) == made(key), f"{key.scancode:#x}"

        heard = len(machine.serial.read_bytes())
        await zrle.type(strokes("Hi").strokes)
        expected = bytes([0x2A, 0x23, 0xA3, 0xAA, 0x17, 0x97])
        await until(lambda: len(machine.serial.read_bytes()) >= heard + 6, SECONDS, "what was typed")
        assert machine.serial.read_bytes()[heard:] == expected

        heard = len(machine.serial.read_bytes())
        zrle.press(combination("alt+sysrq+h"))
        # Alt goes up and down again around SysRq, as at the real keyboards that QEMU follows.
        sysrq = bytes([0x38, 0x54, 0x23, 0xA3, 0xD4])
        await until(lambda: sysrq in machine.serial.read_bytes()[heard:], SECONDS, "SysRq")


SPECIAL = {"print", "print_screen", "sysrq", "pause", "num_lock", "caps_lock", "scroll_lock"}
"""Keys that send what they do from of old by other rules, and those that light a lamp."""
ODD = tuple(f"f{number}" for number in range(13, 25))
"""PC keyboards have no such keys, QEMU's neither."""


def made(key: Key) -> bytes:
    prefix = b"\xe0" if key.scancode >= 0xE000 else b""
    code = key.scancode & 0x7F
    return prefix + bytes([code]) + prefix + bytes([code | 0x80])


async def typed(machine: Machine, viewer: Viewer, key: Key) -> bytes:
    """What the guest's keyboard says as a key is pressed and let go."""
    heard, expected = len(machine.serial.read_bytes()), len(made(key))
    viewer.key(key, True)
    viewer.key(key, False)
    await until(
        lambda: len(machine.serial.read_bytes()) >= heard + expected,
        SECONDS,
        f"the key {key.scancode:#x}",
        0.002,
    )
    return machine.serial.read_bytes()[heard:]


async def test_lights_are_told(folder: Path) -> None:
    async with (
        booted(folder, "-boot", "menu=on,splash-time=65000") as machine,
        viewing(machine.vnc) as viewer,
    ):
        await until(lambda: has_text(viewer, 2), SECONDS, "the BIOS's words")

        async def lit_by_key() -> bool:
            viewer.press(combination("caps_lock"))
            try:
                await until(lambda: viewer.leds.caps_lock, 2.0)
            except AssertionError:  # SeaBIOS was not listening yet
                return False
            return True

        await until(lit_by_key, SECONDS, "Caps Lock's light")


async def test_a_server_that_dies_in_a_message_is_an_error_or_an_end(folder: Path) -> None:
    async with booted(folder) as machine:
        reader, writer = await asyncio.open_unix_connection(str(machine.vnc))
        viewer = Viewer(Socket(reader, writer))
        await viewer.handshake(SECONDS)
        run = asyncio.create_task(viewer.run())
    try:
        await asyncio.wait_for(run, SECONDS)
    except (VncError, ConnectionError):
        assert run.done()
    writer.close()
