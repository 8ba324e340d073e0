"""A program in a terminal of tmux's: keys as a person types them, the screen as a person sees it."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECONDS = 30.0


class Terminal:
    """A window of a tmux server of its own; at the end of the context server and program are gone."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        columns: int = 100,
        rows: int = 30,
    ) -> None:
        self._socket = folder / "tmux"
        configuration = folder / "tmux.conf"
        configuration.write_text(
            "set -g status off\nset -g default-terminal screen-256color\nset -s escape-time 0\n"
            "set -g remain-on-exit on\n"
        )
        words = [f"{name}={value}" for name, value in environment.items()]
        words += ["TERM=screen-256color", "COLORTERM=truecolor"]
        line = shlex.join(["env", "-i", *words, *command])
        self._tmux("-f", str(configuration), "new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def type(self, *keys: str) -> None:
        """Send keys by tmux's names, one after the other."""
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        """Send text as it is, all at once."""
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is on it now."""
        return self._tmux("capture-pane", "-p")

    def line(self, pattern: str) -> str:
        """The first line that matches; empty if none does."""
        return next((line for line in self.screen().splitlines() if re.search(pattern, line)), "")

    def await_text(self, pattern: str, deadline: float = 60.0) -> str:
        """Wait until a line matches; gives it.

        Raises:
            AssertionError: none did in time; with what was on the screen.
        """
        end = time.monotonic() + deadline
        while not (found := self.line(pattern)):
            if time.monotonic() > end:
                raise AssertionError(f"'{pattern}' is not on the screen:\n{self.screen()}")
            time.sleep(0.05)
        return found

    def await_no_text(self, pattern: str, deadline: float = 60.0) -> None:
        """Wait until no line matches."""
        end = time.monotonic() + deadline
        while self.line(pattern):
            assert time.monotonic() < end, f"'{pattern}' stays on the screen:\n{self.screen()}"
            time.sleep(0.05)

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def _tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(self._socket), *words],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        ).stdout
