"""The title that a guest gives its terminal, found in what it prints."""

from __future__ import annotations

import re

MAX_CHARACTERS = 200
_MAX_STRING = 1024
"""Bytes of the longest title sequence that is looked at; a longer one is no title."""
_TITLE = re.compile(rb"\x1b\][02];([^\x00-\x1b]{0,%d}+)(?:\x07|\x1b\\)" % _MAX_STRING)
"""OSC 0 and OSC 2 up to BEL or ST, as the xterm control sequences document (ctlseqs) has them."""


class GuestTitle:
    """Follows what a guest prints, cut anywhere, for titles."""

    def __init__(self) -> None:
        self.text = ""
        """The latest title: printable characters only, 200 at most."""
        self._pending = b""

    def feed(self, data: bytes) -> None:
        """Look at what the guest printed."""
        if not self._pending and b"\x1b" not in data:
            return
        data = self._pending + data
        end = 0
        title = None
        for match in _TITLE.finditer(data):
            end, title = match.end(), match[1]
        if title is not None:
            self.text = _printable(title)
        begun = data.rfind(b"\x1b]")
        if begun < end and data.endswith(b"\x1b"):
            begun = len(data) - 1
        self._pending = data[begun:] if begun >= end and len(data) - begun <= _MAX_STRING else b""


def _printable(title: bytes) -> str:
    """Without controls, and without the invisible characters that turn or hide text."""
    text = title.decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable())[:MAX_CHARACTERS].strip()
