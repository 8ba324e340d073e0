"""A tab with a picture of an EC2 instance's screen: drawn as screens are, but not live. `r` takes another."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on

from pilot.live.cockpit import Cockpit, Desk
from pilot.live.picture import PictureSession
from pilot.live.screen import ScreenSession
from pilot.records import Node
from pilot.render import screen as render
from pilot.render.table import Cell
from pilot.screens.screen import ScreenTab
from pilot.screens.screen_look import Means
from pilot.screens.screen_pane import ScreenPane

_NOT_HERE = frozenset(
    {"type", "send", "watch", "control", "alone", "cancel_paste", "ask_size", "outside", "literal"}
)
"""What a live screen has, and a picture does not."""


class PicturePane(ScreenPane):
    """One instance's picture."""

    def make_session(self, node: Node) -> ScreenSession:
        """It is taken as soon as the tab is shown."""
        live = self._desk.live

        async def take() -> bytes:
            return await live.picture(node.id, self.node.cluster)

        return PictureSession(
            node.id,
            node.name or node.domain,
            take,
            clock=self.cockpit.clock,
            monotonic=self.cockpit.monotonic,
        )

    def on_mount(self) -> None:
        """Nobody types at a picture."""
        self.framebuffer.can_focus = False

    def take_keys(self) -> None:
        """Keys stay verbs."""

    def can(self, action: str) -> bool | None:
        """Whether an action of the tab makes sense now; None if it always does."""
        if action in _NOT_HERE:
            return False
        if action == "again":
            return isinstance(self.session, PictureSession) and not self.session.taking
        return super().can(action)

    def show_status(self) -> None:
        """Draw the status line as things are now."""
        if not self.is_mounted:
            return
        now, screen = self.cockpit.clock(), self.session.screen
        size = (screen.width, screen.height) if screen is not None else None
        self.status_line.show(*render.picture_status(self.session, now, size))
        self.framebuffer.note(render.picture_age(self.session, now))


class PictureTab(ScreenTab):
    """One tab with one picture."""

    AREA = "pictures"

    def __init__(self, cockpit: Cockpit, desk: Desk, mode: str, node: Node, means: Means) -> None:
        super().__init__(cockpit, desk, mode, node, means, PicturePane)

    def quietly(self) -> Sequence[Cell]:
        """How it is drawn."""
        drawing = self.pane.look.drawing
        return [render.drawn(drawing.kind, drawing.quality, 0)] if self.pane.session.screen else ()

    @on(ScreenPane.Changed)
    def _picture_changed(self) -> None:
        """`r` is there again once a picture has come."""
        self.refresh_bindings()
