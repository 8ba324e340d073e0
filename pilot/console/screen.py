"""From a console's frames to bytes for a terminal: replay, live output, notices, and nothing shown twice."""

from __future__ import annotations

from pilot import wire
from pilot.terminal_filter import TerminalFilter

_OVERLAP = 2048
"""Bytes at the end of what was shown by which the place is found again after a reconnection."""
_LEAST_OVERLAP = 32
_RECENT = 512


class Screen:
    """What one viewer has been shown."""

    def __init__(self, interactive: bool) -> None:
        """`interactive`: the viewer's terminal may answer the guest's questions while the viewer types."""
        self._filter = TerminalFilter()
        self._interactive = interactive
        self._replay_left = 0
        self._held: bytearray | None = None
        self._tail = b""
        self._line_begun = False

    def attached(self, replay: int) -> None:
        """A console was attached that begins with so many bytes of what was before."""
        self._replay_left = replay
        self._held = bytearray() if replay and len(self._tail) >= _LEAST_OVERLAP else None

    def output(self, data: bytes, writing: bool, *, replay: bool = True) -> bytes:
        """What the guest printed, as it may be shown. Without `replay`, what was before is left out."""
        before, live = data[: self._replay_left], data[self._replay_left :]
        self._replay_left -= len(before)
        shown = b""
        if before and replay:
            self._filter.answers = False
            if self._held is not None:
                self._held += before
                if not self._replay_left:
                    shown += self._show(self._unseen(bytes(self._held)))
                    self._held = None
            else:
                shown += self._show(before)
        if live:
            self._filter.answers = self._interactive and writing
            shown += self._show(live)
        return shown

    def notice(self, text: str) -> bytes:
        """A line of our own: dim, and out of the way of a full-screen program."""
        said = f"\x1b[2m[pilot: {wire.plain(text)}]\x1b[0m".encode()
        if self._filter.alternate_screen:
            return b"\x1b7\x1b[999;1H\x1b[2K" + said + b"\x1b8"
        begin = b"\r\n" if self._line_begun else b""
        self._line_begun = False
        return begin + said + b"\r\n"

    def has_shown(self, text: str) -> bool:
        """Whether the guest's output has just said this: airboss marks it with what befell the node."""
        return text.encode() in self._tail[-_RECENT:]

    def leave(self) -> bytes:
        """What puts the terminal back as it was."""
        begin = b"\r\n" if self._line_begun and not self._filter.alternate_screen else b""
        self._line_begun = False
        return self._filter.reset_sequence() + begin

    def _show(self, data: bytes) -> bytes:
        self._tail = (self._tail + data)[-_OVERLAP:]
        shown = self._filter.feed(data)
        if shown:
            self._line_begun = not shown.endswith((b"\n", b"\n\r"))
        return shown

    def _unseen(self, replay: bytes) -> bytes:
        at = replay.rfind(self._tail)
        return replay if at < 0 else replay[at + len(self._tail) :]
