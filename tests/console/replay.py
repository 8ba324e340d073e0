"""Raw bytes replayed into a real tmux, and what its screen then is."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from pilot.console.engine import Look

SECONDS = 20.0


class Shown(NamedTuple):
    """A screen."""

    rows: list[str]
    looks: list[list[tuple[str, Look]]]
    """The same with how each character looks."""
    cursor: tuple[int, int]
    """Column and row."""
    joined: list[str]
    """The scrollback and the screen, each line whole that was wrapped."""


class TmuxScreens:
    """A private tmux server with a window for each replay. A context manager."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("tmux") is None:
            pytest.fail("tmux is not installed: it is what the terminal engine is compared with")
        self._folder = folder
        (folder / "tmux.conf").write_text("set -g status off\nset -g history-limit 50000\n")

    def __enter__(self) -> TmuxScreens:
        self._run("new-session", "-d", "-s", "first", "cat")
        return self

    def __exit__(self, *_error: object) -> None:
        self._run("kill-server")

    def show(self, data: bytes, columns: int, rows: int) -> Shown:
        """Print bytes, as they are, in a pane of this size."""
        (self._folder / "data").write_bytes(data + b"\x1b]2;replayed\x1b\\")
        target = "replay"
        size = ("-x", str(columns), "-y", str(rows))
        # The terminal's own line discipline must leave the bytes alone, and nobody is to echo its answers.
        script = "stty raw -echo; cat data; exec sleep 1000"
        self._run("new-session", "-d", "-s", target, "-c", str(self._folder), *size, script)
        try:
            deadline = time.monotonic() + SECONDS
            # Titles are read in turn with all else: once this one stands, the rest does.
            while self._ask(target, "pane_title") != "replayed":
                if time.monotonic() > deadline:
                    pytest.fail("tmux has not replayed the bytes in time")
            x, y = self._ask(target, "cursor_x cursor_y".replace(" ", "} #{")).split()
            looks = parse_looks(self._capture(target, "-e", "-N")[:rows])
            cursor = min(int(x), columns - 1), int(y)  # It stands beside the screen before a line is wrapped.
            return Shown(
                ["".join(character for character, _ in row).rstrip(" ") for row in looks],
                looks,
                cursor,
                self._capture(target, "-J", "-S", "-"),
            )
        finally:
            self._run("kill-session", "-t", target)

    def _capture(self, target: str, *how: str) -> list[str]:
        return self._run("capture-pane", "-p", *how, "-t", target).removesuffix("\n").split("\n")

    def _ask(self, target: str, variable: str) -> str:
        return self._run("display-message", "-p", "-t", target, f"#{{{variable}}}").strip()

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-f", str(self._folder / "tmux.conf"), "-S", str(self._folder / "socket"), *words],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"tmux {words[0]}: {done.stderr.decode()}")
        return done.stdout.decode()


_PIECE = re.compile(r"\x1b\[([0-9;:]*)m|(\x0e)|(\x0f)|(.)", re.DOTALL)
_LINES = dict(zip("`afgijklmnopqrstuvwxyz{|}~", "◆▒°±␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True))
_FLAGS = {
    1: "bold", 2: "dim", 3: "italic", 4: "underline", 5: "blink", 7: "reverse", 8: "conceal", 9: "strike"
}  # fmt: skip


def parse_looks(rows: list[str]) -> list[list[tuple[str, Look]]]:
    """Characters and looks from what `capture-pane -e` gives; a look goes on in the next row."""
    look, parsed = Look(), []
    for row in rows:
        cells, graphics = list[tuple[str, Look]](), False
        for select, begin, end, character in _PIECE.findall(row):
            if begin or end:
                graphics = bool(begin)
            elif character:
                cells.append((_LINES.get(character, character) if graphics else character, look))
            else:
                look = _select(look, select)
        parsed.append(cells)
    return parsed


def _select(look: Look, select: str) -> Look:
    fields = look._asdict()
    numbers = iter([int(number or 0) for number in re.split("[;:]", select)])
    for number in numbers:
        ground = "foreground" if number // 10 in (3, 9) else "background"
        if number == 0:
            fields = Look()._asdict()
        elif number in _FLAGS:
            fields[_FLAGS[number]] = True
        elif number in (38, 48):
            indexed = next(numbers) == 5
            fields[ground] = next(numbers) if indexed else (next(numbers), next(numbers), next(numbers))
        elif number in (39, 49):
            fields[ground] = None
        else:
            fields[ground] = number % 10 + (8 if number >= 90 else 0)
    return Look(**fields)
