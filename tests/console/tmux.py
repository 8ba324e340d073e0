"""A private tmux server: a real terminal that a test can look at and type into."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

COLUMNS, ROWS = 100, 30


class Tmux:
    """One window running a shell. A context manager; ends its own server, by its own socket."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        if shutil.which("tmux") is None:
            pytest.fail("tmux is not installed: it is what these tests look at")
        self._socket = folder / "tmux"
        self._environment = {**environment, "SHELL": "/bin/sh", "ENV": ""}

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", str(self._socket), *words],
            env=self._environment,
            capture_output=True,
            timeout=20,
            check=True,
        )
        return done.stdout.decode()

    def __enter__(self) -> Tmux:
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        self._run("new-session", "-d", *size, "-n", "window", "exec env PS1='$ ' sh")
        self._run("set-option", "-g", "set-titles", "on")
        self._run("set-option", "-g", "set-clipboard", "on")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("kill-server")

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._run("send-keys", "-l", text)

    def key(self, name: str) -> None:
        """Press a key by tmux's name for it."""
        self._run("send-keys", name)

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names, one after the other."""
        for name in names:
            self.key(name)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is on the screen now."""
        return self._run("capture-pane", "-p")

    def ask(self, variable: str) -> str:
        """One of tmux's own variables, such as pane_title."""
        return self._run("display-message", "-p", f"#{{{variable}}}").strip()

    def buffers(self) -> str:
        """What was put on tmux's clipboard."""
        return self._run("list-buffers")
