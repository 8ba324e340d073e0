"""One node on a wall: what it shows, where that comes from, and how old it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Literal

from pilot import wire
from pilot.live.glance import Glance
from pilot.live.screen import ScreenSession
from pilot.live.turns import Shown
from pilot.records import Node
from pilot.render.printed import printed
from pilot.vnc.blocks import HalfBlocks
from pilot.vnc.drawing import Drawing, Drawn
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.renderer import View
from pilot.vnc.text import Fonts, TextRenderer

WORDS = 60
"""Lines of a serial console that are asked for when a node is off."""

Kind = Literal["screen", "serial", "words", "none"]
Log = Callable[[str, str, int], AsyncIterator[wire.LogPage]]
"""From a node's id, its cluster and a number to so many last lines of its console."""


def source(node: Node) -> Kind:
    """Where what it shows comes from, as it is now."""
    if node.state in ("off", "crashed"):
        return "words" if node.serial and node.cluster else "none"
    if node.screen:
        return "screen"
    return "serial" if node.serial and node.cluster else "none"


class Tile:
    """One node on the wall."""

    def __init__(self, node: Node) -> None:
        """Nothing of it is known yet."""
        self.node = node
        self.kind: Kind = "none"
        """Where what it shows comes from."""
        self.updated: float | None = None
        """When what it shows was last known to be right; None while nothing is known."""
        self.live = False
        """It is followed now, and right now."""
        self.why = ""
        """Why there is nothing new, or nothing at all."""
        self.tried = 0.0
        """When it was followed last."""
        self.stale = False
        """There is something to draw that was not drawn yet."""
        self.whole = False
        """What was drawn is more than an empty picture."""
        self.seen: float | None = None
        """`updated` as it was when it was drawn last."""
        self.words: tuple[str, ...] = ()
        """The last lines of its serial console."""
        self.session: ScreenSession | None = None
        self.glance: Glance | None = None
        self.drawn: Drawn | None = None
        """The screen as it was drawn last."""
        self._drawing: Drawing | None = None

    @property
    def shown(self) -> Shown:
        """How new that is."""
        return Shown(self.seen if self.stale else self.updated, self.whole)

    def draw(self, fonts: Fonts, view: View) -> None:
        """Draw its screen, as it is now."""
        self.stale = False
        session = self.session
        if session is None or session.screen is None:
            return
        if self._drawing is None:
            self._drawing = Drawing({"text": TextRenderer(fonts), "blocks": HalfBlocks()})
        self.drawn = self._drawing.draw(session.screen, view)
        self.seen = self.updated
        self.whole = not is_blank(session.screen)
        # A picture that may become text is tried again with its next change, at the latest.

    def rest(self) -> None:
        """It is followed no more: what was drawn stays, what it is drawn from goes."""
        self._drawing = None
        self.session = None
        self.glance = None
        self.live = False


def is_blank(screen: Framebuffer) -> bool:
    """Whether all of it is of one colour."""
    packed = screen.packed
    return bool((packed[0] == packed[0, 0]).all() and (packed == packed[0, 0]).all())


async def last_words(node: Node, log: Log) -> tuple[tuple[str, ...], float | None]:
    """The last lines of a node's serial console, and when the last of them was printed."""
    data, moment = bytearray(), None
    async for page in log(node.id, node.cluster, WORDS):
        for line in page.lines:
            data += line.data
            moment = line.time
    lines = (printed(line).rstrip() for line in bytes(data).splitlines())
    return tuple(line for line in lines if line), moment
