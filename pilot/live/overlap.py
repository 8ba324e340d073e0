"""Where in a replay the place is at which one was interrupted, so that nothing is shown twice."""

from __future__ import annotations

OVERLAP = 4096
"""Bytes at the end of what was shown by which the place is found again."""
LEAST = 32
"""Bytes that are too few to be found by, unless the replay begins with them."""
MOST = 4 * 1024 * 1024
"""Bytes of a replay that are held while the place is looked for."""
RECENT = 512
"""Bytes at the end of what was shown in which airboss's own marker of an event is looked for."""

_MARKER = b"\x1b[2m[pilot "
"""How airboss's own lines begin; the first thing in the record of an airboss that has just started."""
AT_REST = (
    b"\x18\x1b[?1049l\x1b[?6l\x1b[r\x1b[4l\x1b[20l\x1b>"
    b"\x1b[?1l\x1b[?5l\x1b[?9l\x1b[?45l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l"
    b"\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b(B\x1b)B\x0f\x1b[m\x1b[999;1H\r\n"
)
"""Puts a terminal in any state at rest, keeps its scrollback, and begins a new line: a replay that was cut
begins for a terminal at rest."""


class Overlap:
    """What was shown of one console, over several streams."""

    def __init__(self) -> None:
        """Nothing was shown."""
        self._missed = False
        self._tail = b""
        self._whole = True
        """The tail is all that was ever shown."""
        self._replay_left = 0
        self._held: bytearray | None = None

    def begin(self, replay: int) -> None:
        """A stream begins with so many bytes of what was printed before."""
        self._replay_left = replay
        self._held = bytearray() if self._tail and 0 < replay <= MOST else None
        if self._tail and not replay:
            self._missed = True

    @property
    def replaying(self) -> bool:
        """Whether what comes next was printed before the stream began."""
        return self._replay_left > 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What is to be shown of a piece of the stream: of what was before, and of what is live."""
        before, live = data[: self._replay_left], data[self._replay_left :]
        self._replay_left -= len(before)
        if self._held is not None:
            self._held += before
            before = b""
            if not self._replay_left:
                before = self._unseen(bytes(self._held))
                self._held = None
        self._remember(before)
        self._remember(live)
        return before, live

    def has_shown(self, text: str) -> bool:
        """Whether airboss's marker in the output has just said this."""
        return text.encode() in self._tail[-RECENT:]

    def take_missed(self) -> bool:
        """Whether something was printed meanwhile that the replay did not hold any more; asked once."""
        missed, self._missed = self._missed, False
        return missed

    def _unseen(self, replay: bytes) -> bytes:
        if len(self._tail) >= LEAST:
            at = replay.rfind(self._tail)
        else:
            at = 0 if self._whole and replay.startswith(self._tail) else -1
        if at >= 0:
            return replay[at + len(self._tail) :]
        self._missed = True
        # An airboss that has just started goes on where the guest is; an old one's record was cut.
        return replay if _MARKER in replay[:RECENT] else AT_REST + replay

    def _remember(self, data: bytes) -> None:
        self._whole = self._whole and len(self._tail) + len(data) <= OVERLAP
        self._tail = (self._tail + data)[-OVERLAP:]
