"""Screens of VGA text, 720x400, as QEMU draws them: BIOS, Linux, its panic. Read without any font file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pilot.console.engine import Look
from tests.support.consoles_on_screens import KERNEL_ARGUMENTS, initramfs, kernel
from tests.support.machine import Machine
from tests.vnc.text.reading import Reader, panic_lines

pytestmark = pytest.mark.e2e

FONTS = ("Lat15-Terminus16", "Lat15-Fixed16", "Lat15-VGA14", "Lat15-VGA16")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A guest whose kernel has VGA text; somebody is logged in on its serial line."""
    file: Path = tmp_path_factory.mktemp("vga") / "initrd"
    file.write_bytes(initramfs(FONTS))
    with Machine("-kernel", kernel(), "-initrd", file, "-append", KERNEL_ARGUMENTS) as machine:
        machine.log_in()
        yield Reader(machine)


def test_bios_says_what_is_in_the_memory_of_the_card() -> None:
    with Machine(memory=16) as machine:
        reader = Reader(machine)
        reader.until("No bootable device.")
        machine.ask("stop")
        screen = reader.read()
        assert screen is not None
        memory = machine.memory(0xB8000, 80 * 25 * 2)
    assert screen.cell == (9, 16)
    assert screen.hit_rate == 1.0
    characters = memory[::2].replace(b"\0", b" ").decode("cp437")
    assert screen.plain().splitlines() == [characters[at : at + 80].rstrip() for at in range(0, 2000, 80)]
    assert "SeaBIOS" in screen.text(0)


def test_linux_boot(reader: Reader) -> None:
    reader.machine.run("dmesg -r | tail -100 | cut -c1-70 >/dev/tty1; printf '\\033[?25l' >/dev/tty1")
    expected = reader.machine.run("fold -w 80 /dev/vcs1").replace("\r", "").split("\n")
    screen = reader.read()
    assert screen is not None
    assert screen.hit_rate == 1.0
    assert screen.plain().splitlines() == [line.rstrip() for line in expected[:25]]


def test_colours_lines_and_signs(reader: Reader) -> None:
    reader.machine.run(
        "printf '\\033c\\033[31;44mred\\033[1;33m yellow\\033[0m\\n\\033[7mturned\\033[0m plain\\n"
        f"{_octal('╔═╗█▀▒ éü')}"
        "\\033[?25l' >/dev/tty1"
    )
    screen = reader.until("turned plain")
    assert screen.hit_rate == 1.0
    red, yellow, *_ = screen.line(0)
    assert (red.text, red.look) == ("red ", Look(1, 4))
    assert (yellow.text, yellow.look) == ("yellow", Look(11, 4))
    assert screen.line(1)[0] == ("turned", Look(0, 7))
    # A full block is a cell of one colour, which is a space on that colour.
    assert screen.text(2) == "╔═╗ ▀▒ éü"


def _octal(text: str) -> str:
    """As `printf` in the guest takes it: its line editor does not pass on what is not ASCII."""
    return "".join(f"\\{byte:03o}" for byte in text.encode())


@pytest.mark.parametrize("font", FONTS)
def test_other_fonts(reader: Reader, font: str) -> None:
    words = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
    words = words.replace("'", "").replace("%", "").replace('"', "")
    reader.machine.run(f"zcat /fonts/{font} | loadfont; printf '\\033c{words}\\n\\033[?25l' >/dev/tty1")
    screen = reader.until("abcdefgh")
    assert (screen.text(0) + screen.text(1))[: len(words)] == words
    assert screen.hit_rate == 1.0


def test_blinking_cursor_is_no_character(reader: Reader) -> None:
    reader.machine.run("zcat /fonts/Lat15-Fixed16 | loadfont; printf '\\033cpages g\\b' >/dev/tty1")
    screen = reader.until_cursor("pages g")
    # It stands on a letter whose foot it covers.
    assert screen.cursor == (6, 0, True)
    assert screen.hit_rate == 1.0
    assert screen.text(0) == "pages g"


def test_people_log_in_on_the_screen(reader: Reader) -> None:
    # A getty of its own, whatever the tests before have left there.
    reader.machine.run("killall getty; zcat /fonts/Lat15-VGA16 | loadfont")
    reader.until("login:")
    for word, answer in (("root", "Password:"), ("pilot", "root@node:~#"), ("tty", "/dev/tty1")):
        for key in (*word, "ret"):
            reader.machine.press(key)
        reader.until(answer)


def test_panic(reader: Reader) -> None:
    printed = panic_lines(reader, columns=80)
    screen = reader.until("end Kernel panic")
    shown = screen.plain().rstrip().split("\n")
    assert len(shown) >= min(screen.rows - 1, len(printed))
    assert shown == printed[-len(shown) :]
    assert screen.hit_rate == 1.0
