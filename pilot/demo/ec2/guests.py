"""Pretended guests: what their consoles print. No machine runs behind them, and each of them says so."""

from __future__ import annotations

import time
from collections.abc import Callable

KEPT = 64 * 1024
"""What EC2 keeps of a console."""
BANNER = b"[this is a pretended console: the demo's stand-in for EC2 wrote it]\r\n"
_BOOT = (
    "pretended firmware: booting from the pretended disk",
    "[    0.000000] pretended kernel 6.1 on {}",
    "[    0.912447] pretended: ena 0000:00:05.0 eth0: link up",
    "[    1.630021] pretended: EXT4-fs (nvme0n1p1): mounted filesystem",
    "[    2.771093] pretended: reached target multi-user",
)


class Guest:
    """One pretended guest."""

    def __init__(self, instance_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.id = instance_id
        self.viewers: list[Callable[[bytes], None]] = []
        """Told what it prints."""
        self.printed = bytearray()
        self._clock = clock
        self._told = clock()
        self.boot()

    def output(self) -> bytes:
        """What EC2 keeps of what it printed; now and then there is more."""
        now = self._clock()
        while now - self._told >= 30:
            self._told += 30
            self.say(f"[{self._told:12.6f}] pretended: nothing happened in the last half minute")
        return bytes(self.printed)

    def boot(self) -> None:
        """It boots."""
        self.emit(BANNER)
        for line in _BOOT:
            self.say(line.format(self.id))
        self.emit(b"\r\npretended login: ")

    def interrupt(self) -> None:
        """It was sent an NMI."""
        self.say("\r\n[  100.000000] pretended: NMI received; dazed and confused, but going on")

    def sysrq(self) -> None:
        """It was sent a break."""
        self.say(
            "\r\n[  100.000000] pretended: sysrq: HELP : reboot(b) crash(c) show-memory-usage(m) sync(s)"
        )

    def say(self, line: str) -> None:
        """Print a line."""
        self.emit(line.encode() + b"\r\n")

    def emit(self, data: bytes) -> None:
        """Print."""
        self.printed += data
        del self.printed[:-KEPT]
        for viewer in tuple(self.viewers):
            viewer(data)


class Guests:
    """All of them; each begins when it is first asked for."""

    def __init__(self) -> None:
        self._all: dict[str, Guest] = {}

    def __getitem__(self, instance_id: str) -> Guest:
        guest = self._all.get(instance_id)
        if guest is None:
            guest = self._all[instance_id] = Guest(instance_id)
        return guest


def answer(line: str, guest: Guest) -> str:
    """What the pretended shell says to a line."""
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    if word == "help":
        return "This shell is pretended. It knows: help, uname, dmesg, echo, exit."
    if word == "uname":
        return f"Pretended 6.1.0 {guest.id}"
    if word == "dmesg":
        return "\r\n".join(text.format(guest.id) for text in _BOOT[1:])
    if word == "echo":
        return line.partition(" ")[2]
    return "" if not word else f"{word}: this shell is pretended and does not know that"
