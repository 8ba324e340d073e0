"""tmux as an independent terminal: what a person would see after some bytes were printed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

MODES = (
    "alternate_on", "cursor_flag", "insert_flag", "keypad_cursor_flag", "keypad_flag", "mouse_standard_flag",
    "mouse_button_flag", "mouse_all_flag", "mouse_sgr_flag", "mouse_utf8_flag", "origin_flag", "wrap_flag",
    "scroll_region_upper", "scroll_region_lower",
)  # fmt: skip


class Shown(NamedTuple):
    """A screen: its lines, with attributes as escape sequences, the cursor's place, and modes."""

    lines: str
    cursor: str
    modes: dict[str, str]


class Screen:
    """A tmux server of its own, with one window of fixed size."""

    def __init__(self, folder: Path, columns: int = 80, rows: int = 24) -> None:
        self._folder = folder
        self._socket = folder / "tmux"
        self._size = (str(columns), str(rows))
        self._count = 0

    def __enter__(self) -> Screen:
        columns, rows = self._size
        conf = self._folder / "tmux.conf"
        conf.write_text("set -g status off\nset -g remain-on-exit on\nset -s exit-empty off\n")
        self._tmux("-f", str(conf), "new-session", "-d", "-x", columns, "-y", rows, "true")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server")

    def show(self, data: bytes) -> Shown:
        """Print some bytes on a new terminal and look at it."""
        self._count += 1
        path = self._folder / f"printed{self._count}"
        path.write_bytes(data)
        # What is behind the mark is on the screen once the mark's title is set, as tmux goes in order.
        mark = f"printed-{self._count}"
        command = f"stty raw -echo; cat {path}; printf '\\030\\033]2;{mark}\\033\\\\'; exec sleep 600"
        self._tmux("respawn-pane", "-k", command)
        end = time.monotonic() + 30
        while self._tmux("display-message", "-p", "#{pane_title}").strip() != mark:
            if time.monotonic() > end:
                raise AssertionError("tmux did not show all of it within 30 s")
            time.sleep(0.02)
        wanted = "|".join(f"#{{{mode}}}" for mode in MODES)
        modes = self._tmux("display-message", "-p", wanted).strip().split("|")
        return Shown(
            self._tmux("capture-pane", "-p", "-e"),
            self._tmux("display-message", "-p", "#{cursor_x},#{cursor_y}").strip(),
            dict(zip(MODES, modes, strict=True)),
        )

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            capture_output=True,
            timeout=20,
            check=False,
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        if done.returncode:
            raise AssertionError(f"tmux {arguments[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()
