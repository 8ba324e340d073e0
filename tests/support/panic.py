"""A guest's kernel that is made to panic, and what of it stands on its screen."""

from __future__ import annotations

import re

STEPS = (
    *("--wait-for", "login:", "--send", r"root\r"),
    *("--wait-for", "Password:", "--send", r"pilot\r"),
    *("--wait-for", "# $", "--send", r"sysctl -w kernel.panic=0; clear >/dev/tty1\r"),
    *("--wait-for", "# $", "--send", r"echo c > /proc/sysrq-trigger\r"),
    *("--wait-for", "end Kernel panic"),
)
"""What `pilot console` is told to do on a guest that has booted; the kernel stays as it is then."""
_LINE = re.compile(r"\[ *\d+\.\d+\] ")
"""Where a line of the kernel's begins."""


def printed(log: str) -> list[str]:
    """What the kernel printed on its serial console, by `pilot log --time none`."""
    return [line for line in log.splitlines() if _LINE.match(line)]


def rows_of(screen: str) -> list[str]:
    """The rows of a screen from the first that the kernel begins a line with."""
    rows = screen.splitlines()
    first = next(number for number, row in enumerate(rows) if _LINE.match(row))
    return rows[first:]


def wrapped(lines: list[str], width: int = 80) -> list[str]:
    """Lines as a screen shows them that goes on in the next row."""
    return [line[at : at + width].rstrip() for line in lines for at in range(0, max(len(line), 1), width)]
