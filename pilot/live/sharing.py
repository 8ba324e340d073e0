"""What one does at a console, and with the others there: type, take, join, hand over, say something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pilot import wire
from pilot.live.ahead import Ahead
from pilot.live.opening import Mode
from pilot.people import People

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream
    from pilot.live.pasting import Pasting


class Sharing:
    """The part of a console session that others are concerned with."""

    pasting: Pasting

    def __init__(self, mode: Mode, clock: Callable[[], float]) -> None:
        """Not open."""
        self.mode: Mode = mode
        """How it is opened again when it was lost."""
        self.writing = False
        self.people: People | None = None
        """Who is attached; None until airboss has said it, and while the console is not live."""
        self._stream: ConsoleStream | None = None
        self._ahead = Ahead(clock)

    def type(self, keys: bytes) -> bool:
        """Send keys; False if nobody takes them: it is lost or has ended, or somebody else has the keyboard.

        Before it was open for the first time they are kept until it is; after a loss they are not, since
        another state of the guest may be there then.
        """
        if self._stream is None:
            return bool(keys) and self.mode != "watch" and self._ahead.keep(keys)
        if not self.writing or not keys:
            return False
        self._stream.type(keys)
        return True

    def _type_ahead(self) -> str:
        """Send what was typed before it was open; why that is not done, or nothing."""
        kept, fresh = self._ahead.take()
        if not kept:
            return ""
        if self._stream is not None and self.writing and fresh:
            self._stream.type(kept)
            return ""
        why = "it took too long to open" if not fresh else "you watch" if self._stream else "it is not open"
        return f"what you typed before was not sent: {why}"

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
