"""What a command says: data on stdout, talk on stderr, colour only where a person sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import msgspec

from pilot.commands.advice import for_shell
from pilot.errors import PilotError
from pilot.render.palette import Tone, paint


class Talk:
    """Standard output and standard error."""

    def __init__(self, *, json: bool = False, no_color: bool = False) -> None:
        self.json = json
        plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self.err_tty = _is_tty(sys.stderr)
        self.out_colour = not plain and _is_tty(sys.stdout)
        self.err_colour = not plain and self.err_tty

    @property
    def asks(self) -> bool:
        """Whether there is a person to ask."""
        return _is_tty(sys.stdin) and self.err_tty

    def data(self, lines: Iterable[str]) -> None:
        """Lines that were asked for."""
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def write(self, text: str) -> None:
        """Text for stdout as it is: a picture that is drawn over the one before."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def data_json(self, value: object) -> None:
        """One JSON value, on one line."""
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
        sys.stdout.flush()

    def say(self, text: str = "", tone: Tone = "") -> None:
        """Something beside the data."""
        sys.stderr.write(paint(text, tone, self.err_colour) + "\n")
        sys.stderr.flush()

    def raw(self, text: str) -> None:
        """Text for stderr as it is: a question, or progress that is drawn over."""
        sys.stderr.write(text)
        sys.stderr.flush()

    def error(self, error: PilotError) -> None:
        """What failed, why, and what to do next."""
        self.say(f"{paint(f'{error.title}:', 'bad', self.err_colour)} {error.message}")
        if error.hint:
            self.say(for_shell(error.hint), "dim")


def _is_tty(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False  # closed, or never there
