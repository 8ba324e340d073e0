"""What tests of text on screens share."""

from __future__ import annotations

from pilot.vnc.text import Decoder, Fonts, TextScreen
from tests.support.machine import Machine
from tests.support.waiting import until_sync


class Reader:
    """Reads a machine's screen as the app does, again and again."""

    def __init__(self, machine: Machine) -> None:
        """Nothing is read yet."""
        self.machine = machine
        self.grub: TextScreen | None = None
        """What stood on the screen before the kernel was loaded, where that was kept."""
        self._decoder = Decoder(Fonts.built_in())

    def read(self) -> TextScreen | None:
        """The screen as it is now."""
        return self._decoder.decode(self.machine.screen().packed)

    def until(self, words: str) -> TextScreen:
        """The screen once these words are on it."""

        def shown() -> TextScreen | None:
            screen = self.read()
            return screen if screen is not None and words in screen.plain() else None

        screen = until_sync(shown, 60, f"{words!r} on the screen", every=0.05)
        assert screen is not None
        return screen

    def until_cursor(self, words: str) -> TextScreen:
        """The screen once these words and a cursor are on it."""

        def shown() -> TextScreen | None:
            screen = self.until(words)
            return screen if screen.cursor else None

        screen = until_sync(shown, 60, "a cursor on the screen", every=0.05)
        assert screen is not None
        return screen


def panic_lines(reader: Reader, columns: int) -> list[str]:
    """Crash the guest; gives what it printed on its serial line, as a console of that width shows it."""
    machine = reader.machine
    machine.run("printf '\\033c' >/dev/tty1")
    start = len(machine.seen)
    machine.type("echo c >/proc/sysrq-trigger")
    machine.expect(b"]---", machine.expect(b"end Kernel panic", start))
    printed = bytes(machine.seen[start:]).decode().partition("sysrq-trigger")[2].strip()
    return [
        line[at : at + columns].rstrip()
        for line in printed.replace("\r", "").split("\n")
        for at in range(0, max(1, len(line)), columns)
    ]
