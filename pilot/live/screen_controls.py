"""What a user does at a screen: keys, pointer, paste, another size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pilot.live.key_pasting import KeyPasting
from pilot.vnc.keys import Stroke, Typing, strokes
from pilot.vnc.rfb import RfbClient


class ScreenControls:
    """Of one screen, over several connections to it."""

    def __init__(self, drain: Callable[[], Awaitable[None]], changed: Callable[[], None]) -> None:
        """Nobody takes anything yet.

        Args:
            drain: waits while airboss does not read what is typed.
            changed: told of every stroke of a paste.
        """
        self.controlling = False
        self.pasting = KeyPasting(self.press, drain, changed)
        self._client: RfbClient | None = None

    @property
    def takes_keys(self) -> bool:
        """Whether keys and pointer reach the guest."""
        return self._client is not None and self.controlling

    def press(self, stroke: Stroke) -> bool:
        """Press keys together and let them go; False if nobody takes them."""
        if self._client is None or not self.takes_keys:
            return False
        self._client.press(stroke)
        return True

    def point(self, x: int, y: int, buttons: int) -> bool:
        """Put the pointer on a pixel, with these buttons held; False if nobody takes it."""
        if self._client is None or not self.takes_keys:
            return False
        self._client.pointer(x, y, buttons)
        return True

    def as_typed(self, text: str) -> Typing:
        """A text as strokes on the guest's keyboard, which may be in capitals."""
        capitals = self._client is not None and self._client.features.leds and self._client.leds.caps_lock
        return strokes(text, caps_lock=capitals)

    def paste(self, typing: Typing) -> bool:
        """Begin to type a text, at a pace that a keyboard bears; False if nobody takes it."""
        if self.takes_keys:
            self.pasting.begin(typing)
        return self.takes_keys

    def ask_size(self, width: int, height: int) -> bool:
        """Ask the guest for a screen of this size; False if its server knows nothing of that."""
        return self._client is not None and self.takes_keys and self._client.ask_size(width, height)
