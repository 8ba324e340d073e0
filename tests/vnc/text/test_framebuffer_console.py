"""Framebuffers: UEFI's shell, GRUB, and Linux' console of 1024x768 pixels with its own and other fonts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.consoles_on_screens import GRUB_SIGNS, GRUB_WORDS, grub, uefi
from tests.support.machine import Machine
from tests.vnc.text.reading import Reader, panic_lines

pytestmark = pytest.mark.e2e

FONTS = ("Lat15-Terminus16", "Lat15-TerminusBold16", "Lat15-Fixed16", "Lat15-Terminus32x16")
WORDS = "#$&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklm nopqrstuvwxyz{|}~"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """GRUB's screen is read on the way; then somebody is logged in on the serial line."""
    with Machine(*grub(tmp_path_factory.mktemp("grub"), FONTS)) as machine:
        reader = Reader(machine)
        reader.grub = reader.until("ready")
        machine.press("esc")
        machine.log_in()
        yield reader


def test_uefi() -> None:
    with Machine("-bios", uefi()) as machine:
        screen = Reader(machine).until("Press ESC in")
    assert screen.cell == (8, 19)
    assert screen.hit_rate == 1.0
    assert any(screen.text(row).strip().startswith("UEFI Interactive Shell v") for row in range(screen.rows))


def test_grub(reader: Reader) -> None:
    screen = reader.grub
    assert screen is not None
    assert screen.origin != (0, 0)
    assert screen.hit_rate == 1.0
    assert [screen.text(row).strip() for row in range(2)] == [GRUB_WORDS, GRUB_SIGNS]


def test_linux_boot(reader: Reader) -> None:
    reader.machine.run("dmesg | tail -40 >/dev/tty1; printf '\\033[?25l' >/dev/tty1")
    expected = reader.machine.run("fold -w 128 /dev/vcs1").replace("\r", "").split("\n")
    screen = reader.read()
    assert screen is not None
    assert (screen.columns, screen.rows, screen.cell) == (128, 48, (8, 16))
    assert screen.hit_rate == 1.0
    assert screen.plain().splitlines() == [line.rstrip() for line in expected[:48]]


@pytest.mark.parametrize("font", FONTS)
def test_other_fonts(reader: Reader, font: str) -> None:
    reader.machine.run(f"zcat /fonts/{font} | loadfont; printf '\\033c{WORDS}\\n\\033[?25l' >/dev/tty1")
    screen = reader.until("nopqrst")
    width = screen.columns
    assert (screen.text(0).ljust(width) + screen.text(1)).rstrip()[: len(WORDS)] == WORDS
    assert screen.hit_rate == 1.0


def test_blinking_cursor_is_no_character(reader: Reader) -> None:
    reader.machine.run("zcat /fonts/Lat15-Fixed16 | loadfont; printf '\\033cpages g\\b' >/dev/tty1")
    screen = reader.until_cursor("pages g")
    assert screen.cursor == (6, 0, True)
    assert screen.text(0) == "pages g"


def test_panic(reader: Reader) -> None:
    printed = panic_lines(reader, columns=128)
    screen = reader.until("end Kernel panic")
    shown = screen.plain().rstrip().split("\n")
    assert len(shown) >= min(screen.rows - 1, len(printed))
    assert shown == printed[-len(shown) :]
    assert screen.hit_rate == 1.0
