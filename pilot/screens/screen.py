"""A tab with a VM's screen (VNC). All keys are the guest's until `Ctrl+]`, then letters are verbs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from textual import on, work

from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk
from pilot.records import Node
from pilot.render import screen as render
from pilot.render.table import Cell
from pilot.screens import acting, strokes_menu
from pilot.screens.screen_keys import ScreenKeys
from pilot.screens.screen_look import Means
from pilot.screens.screen_pane import ScreenPane
from pilot.vnc import keys, outside
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.keys import COMBINATIONS, Combination, Stroke
from pilot.vnc.png import png
from pilot.widgets.framebuffer import FramebufferWidget
from pilot.widgets.prompt import Prompt

KEYS = "⌨"
"""The sign of the line that keys are written on."""


class ScreenTab(ScreenKeys):
    """One tab with one screen."""

    CSS_PATH = ["base.tcss", "guest_tab.tcss"]
    GLYPH = "▣"
    AREA = "screens"

    def __init__(
        self,
        cockpit: Cockpit,
        desk: Desk,
        mode: str,
        node: Node,
        means: Means,
        pane: type[ScreenPane] = ScreenPane,
    ) -> None:
        """The tab of this mode, with one node's screen."""
        super().__init__(cockpit, desk, mode)
        self.pane = pane(cockpit, desk, node, means)
        self.panes = [self.pane]
        self.active = self.pane

    def looked_at(self, looked: bool) -> None:
        """A tab that is not shown asks for nothing."""
        self.pane.looked_at(looked)

    def quietly(self) -> Sequence[Cell]:
        """How it is drawn, and how often it changes."""
        session, drawing = self.pane.session, self.pane.look.drawing
        if session.screen is None:
            return ()
        return [render.drawn(drawing.kind, drawing.quality, session.pacing.per_second)]

    @on(ScreenPane.Changed)
    def _pane_changed(self, event: ScreenPane.Changed) -> None:
        event.stop()
        if self.is_current:
            self.draw_line()
        self.name_tab()

    @on(FramebufferWidget.ReleaseRequested)
    def _released(self, event: FramebufferWidget.ReleaseRequested) -> None:
        event.stop()
        self.release()

    # --- looking ---------------------------------------------------------------------------------

    def action_draw(self) -> None:
        """The next way to draw it."""
        choice = self.pane.look.cycle()
        self.pane.redraw()
        said = "what suits it best" if choice == "auto" else render.NAMES[choice]
        self.cockpit.flash(f"drawn as {said}", "dim", 3)

    def action_zoom(self, step: int) -> None:
        """Larger or smaller."""
        self.pane.look.zoom(step)
        self.pane.redraw()

    def action_fit(self) -> None:
        """All of it in view."""
        self.pane.look.fit()
        self.pane.redraw()

    def action_pan(self, across: int, down: int) -> None:
        """Look at another part."""
        self.pane.look.pan(across, down)
        self.pane.redraw()

    def action_search(self) -> None:
        """Ask what to search for."""
        self.query_one(Prompt).ask("/")

    def action_next(self, step: int) -> None:
        """The next place that was found."""
        if not self.pane.framebuffer.search_next(step):
            self.app.bell()

    def action_copy(self) -> None:
        """What is selected, or all that can be read."""
        framebuffer = self.pane.framebuffer
        if not framebuffer.copy() and not framebuffer.to_clipboard(self.pane.look.text()):
            self.cockpit.flash("there is no text on it that can be read", "dim", 4)

    def action_save(self) -> None:
        """Save the picture as a PNG file, in the folder that pilot was started in."""
        screen = self.pane.session.screen
        if screen is None:
            return
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.cockpit.clock()))
        copy = Framebuffer(screen.width, screen.height)
        copy.packed[...] = screen.packed
        self._save(Path(f"{safe_name(self.pane.title)}-{stamp}.png").absolute(), copy)

    @work(group="save")
    async def _save(self, path: Path, screen: Framebuffer) -> None:
        def write() -> None:
            with path.open("xb") as file:
                file.write(png(screen))

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            self.cockpit.flash(f"{path.name} cannot be written: {error.strerror or error}", "bad")
            return
        self.cockpit.flash(f"saved: {path}", "good")

    @on(Prompt.Submitted)
    def _asked(self, event: Prompt.Submitted) -> None:
        if event.sign == "/":
            self.pane.search(event.text)
        elif event.sign == KEYS and event.text.strip():
            self._press_words(event.text.strip())

    # --- the guest -------------------------------------------------------------------------------

    def action_send(self) -> None:
        """The menu of keys that terminals do not pass on."""
        strokes_menu.open_menu(self.app, self.pane.title, self._press, self._ask_words)

    def _ask_words(self) -> None:
        self.query_one(Prompt).ask(KEYS, "ctrl+alt+")

    def _press_words(self, words: str) -> None:
        try:
            stroke = keys.combination(words)
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        known = next((c for c in COMBINATIONS if c.stroke == stroke), None)
        if known is not None and known.dangerous:
            strokes_menu.confirm(self.app, Combination(words, stroke, "", True), self.pane.title, self._press)
        else:
            self._press(stroke, words)

    def _press(self, stroke: Stroke, title: str) -> None:
        if self.pane.press(stroke):
            self.cockpit.flash(f"pressed {title}", "dim", 4)
            self.action_type()

    def action_watch(self) -> None:
        """Keys and pointer reach the guest no more."""
        self.pane.session.turn("watch")

    def action_control(self) -> None:
        """Keys and pointer reach the guest again."""
        self.pane.session.turn("control")
        self.action_type()

    def action_alone(self) -> None:
        """Nobody else sees it meanwhile, or they may again."""
        session = self.pane.session
        session.turn(session.mode, exclusive=not session.exclusive)

    def action_cancel_paste(self) -> None:
        """Stop typing what was pasted."""
        if self.pane.session.pasting.cancel():
            self.cockpit.flash("the rest of the paste is not typed", "dim", 4)

    def action_ask_size(self) -> None:
        """Ask the guest for a screen as large as the room."""
        room = self.pane.look.room()
        if room is None:
            return
        if self.pane.session.ask_size(*room):
            self.cockpit.flash(f"asked the guest for {room[0]}x{room[1]} pixels", "dim", 4)
        else:
            self.cockpit.flash("this screen has a size of its own: its server takes no other", "dim", 5)

    def action_outside(self) -> None:
        """Show it in a viewer of the user's own, beside this."""
        self._outside()

    @work(group="outside")
    async def _outside(self) -> None:
        cockpit, node, watching = self.cockpit, self.pane.node, self.cockpit.readonly
        try:
            viewer = await asyncio.to_thread(outside.find_viewer, watching)
            if viewer is None:
                said = f"there is no VNC viewer here, or no display: `pilot vnc {node.name} --print`"
                cockpit.flash(said, "busy")
                return
            with outside.Door(viewer.takes) as door:
                mode = "watch" if watching else "control"
                stream = await self._desk.live.screen(node.id, node.cluster, mode)
                cockpit.flash(f"{self.pane.title} in {Path(viewer.words[0]).name}", "dim")
                await outside.show(viewer, door, stream)
        except PilotError as error:
            cockpit.flash_error(error)

    def action_again(self) -> None:
        """Try to open it now."""
        self.pane.session.retry()

    def action_console(self) -> None:
        """The node's serial console, in its own tab."""
        self.post_message(acting.ConsolesWanted((self.pane.node,)))


def safe_name(name: str) -> str:
    """A node's name as a part of a file's."""
    return (
        "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name).lstrip(".")
        or "node"
    )
