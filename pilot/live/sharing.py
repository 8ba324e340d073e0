"""What one does with the others at a console: take, join, hand over, say something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilot import wire
from pilot.live.opening import Mode
from pilot.people import People

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream
    from pilot.live.pasting import Pasting


class Sharing:
    """The part of a console session that others are concerned with."""

    pasting: Pasting

    def __init__(self, mode: Mode) -> None:
        """Not open."""
        self.mode: Mode = mode
        """How it is opened again when it was lost."""
        self.writing = False
        self.people: People | None = None
        """Who is attached; None until airboss has said it, and while the console is not live."""
        self._stream: ConsoleStream | None = None

    def _writes(self, writing: bool) -> None:
        """airboss says whether this one writes from now on, whoever wanted that."""
        self.writing = writing
        if not writing:
            self.pasting.cancel()
        # Opened again it is as it is now: who was sent away does not come back beside who did that, and who
        # was given the keyboard asks for it.
        if self.mode == ("watch" if writing else "join"):
            self.mode = "write"

    def take(self) -> None:
        """Ask for the keyboard, for this one alone."""
        self.mode = "write"
        if self._stream is not None:
            self._stream.take()

    def join(self) -> None:
        """Ask to type beside those who do."""
        self.mode = "join"
        if self._stream is not None:
            self._stream.join()

    def release(self, to: int = 0) -> None:
        """Give the keyboard back, to a person or to whoever waits for it, and only look."""
        self.mode = "watch"
        self.pasting.cancel()
        if self._stream is not None:
            self._stream.release(to)

    def chat(self, text: str) -> bool:
        """Say a line to the others here; False if nobody hears it."""
        words = wire.plain(text.strip(), wire.MAX_CHAT)
        if self._stream is None or not words:
            return False
        self._stream.chat(words)
        return True
