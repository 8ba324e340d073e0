"""One VM's screen in a tab: its status line, and the picture below it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.keys import key_to_character
from textual.message import Message
from textual.timer import Timer

from pilot import app_config, keymap
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.screen import ScreenMode, ScreenSession
from pilot.records import Node
from pilot.render import console as console_render
from pilot.render import screen as render
from pilot.render.table import Cell
from pilot.screens import screen_words
from pilot.screens.screen_look import Means, ScreenLook
from pilot.vnc import keys
from pilot.widgets.cell_line import CellLine
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.framebuffer import FramebufferWidget
from pilot.widgets.terminal import RELEASE_KEY

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream

FRAME_SECONDS = 1 / 60
_CLOSE_SECONDS = 2.0


class ScreenPane(Vertical):
    """A session and what shows it. The session lives as long as the pane."""

    DEFAULT_CSS = """
    ScreenPane {
        height: 1fr;
        width: 1fr;
        & > .status { background: $panel; }
        &.-typing > .status { background: $accent 25%; text-style: bold; }
        &:ansi > .status { background: ansi_default; text-style: underline; }
        &.-typing:ansi > .status { background: ansi_default; text-style: bold reverse; }
    }
    """

    class Changed(Message):
        """The session is in another state, or was told something."""

    def __init__(self, cockpit: Cockpit, desk: Desk, node: Node, means: Means) -> None:
        """A node's screen, opened as soon as it is shown."""
        super().__init__()
        self.cockpit = cockpit
        self._desk = desk
        self._first = node
        self._graphics = means.graphics
        self.session = self.make_session(node)
        release = keymap.release_key(cockpit.settings.keys, RELEASE_KEY)
        self.framebuffer = FramebufferWidget(release_key=release)
        self.look = ScreenLook(
            self.session, self.framebuffer, means, cockpit.settings.graphics, cockpit.monotonic
        )
        self.look.drawn_aside = self._drawn_aside
        self._drawn_as: tuple[object, ...] = ()
        self._frames: Timer | None = None
        self._was_live = True
        self._keeping: asyncio.Task[None] | None = None

    def make_session(self, node: Node) -> ScreenSession:
        """What keeps it open, or brings what is shown in another way."""
        # Who has the keyboard can do all that the verbs can.
        mode: ScreenMode = "watch" if self.cockpit.readonly else "control"
        return ScreenSession(
            node.id,
            node.name or node.domain,
            self.open,
            mode=mode,
            why_not=lambda: render.why_closed(self.node),
            clock=self.cockpit.clock,
            monotonic=self.cockpit.monotonic,
        )

    @property
    def status_line(self) -> CellLine:
        """What is said of it."""
        return self.query_one(CellLine)

    def compose(self) -> ComposeResult:
        """Status line and picture."""
        yield CellLine(classes="status")
        yield self.framebuffer

    def on_mount(self) -> None:
        """Open it; follow session and link."""
        live = self._desk.live
        self._unlisten = [
            self.session.changed.listen(self._session_changed),
            self.session.drawn.listen(self.redraw),
            live.changed.listen(self._link_changed),
        ]
        self._was_live = live.state == "live"
        self._frames = self.set_interval(FRAME_SECONDS, self._frame, pause=True)
        self._graphics.find_out(self._graphics_known)
        self.app.app_resume_signal.subscribe(self, self._resumed)
        self._keeping = asyncio.create_task(self.session.run(), name="screen")
        self.show_status()

    async def on_unmount(self) -> None:
        """Leave the screen."""
        for unlisten in self._unlisten:
            unlisten()
        self._graphics.let_go(self._graphics_known)
        self.look.close()
        self.session.close()
        if self._keeping is not None:
            await asyncio.wait({self._keeping}, timeout=_CLOSE_SECONDS)
            self._keeping.cancel()

    # --- as a pane of a tab ----------------------------------------------------------------------

    @property
    def node(self) -> Node:
        """The node as it is known now."""
        record = self._desk.live.store.records.get(self._first.id)
        return record if isinstance(record, Node) else self._first

    @property
    def title(self) -> str:
        """What the node is called."""
        return self.session.name

    @property
    def hung(self) -> bool:
        """Whether its QEMU answers nobody: what is typed would be done whenever it goes on."""
        return self.node.hung_ms is not None

    @property
    def typing(self) -> bool:
        """Whether keys go to the guest."""
        return self.framebuffer.has_focus

    @property
    def leave_words(self) -> str:
        """The release key as people write it."""
        *modifiers, key = self.framebuffer.release_key.split("+")
        return app_config.shown_key("+".join([*modifiers, key_to_character(key) or key]))

    def take_keys(self) -> None:
        """Keys go to the guest from now on."""
        self.framebuffer.follow_cursor()
        self.framebuffer.focus()

    def type_release_key(self) -> None:
        """The guest gets the release key itself."""
        self.press(keys.stroke(self.framebuffer.release_key))

    def can(self, action: str) -> bool | None:
        """Whether an action of the tab makes sense now; None if it always does."""
        return screen_words.can(self, action)

    def said(self) -> list[Cell]:
        """What is to be said now instead of the keys."""
        return screen_words.said(self)

    def show_status(self) -> None:
        """Draw the status line as things are now."""
        if not self.is_mounted:
            return
        known = self._desk.live.store.records.get(self._first.id)
        node = known if isinstance(known, Node) else None
        now, screen = self.cockpit.clock(), self.session.screen
        size = (screen.width, screen.height) if screen is not None else None
        room = self.size.width or self.screen.size.width
        self.status_line.show(*render.status(self.session, node, now, room, size))
        self.framebuffer.note(render.age(self.session, self.hung, now))

    # --- the session -----------------------------------------------------------------------------

    async def open(self, mode: ScreenMode, exclusive: bool) -> ScreenStream:
        """Open the screen once more, on whatever link there is.

        Raises:
            PilotError: as for `LiveSite.screen`.
        """
        node = self.node
        return await self._desk.live.screen(node.id, node.cluster, mode, exclusive)

    def looked_at(self, looked: bool) -> None:
        """It is shown from now on, or something else is: nothing is asked for then."""
        self.session.looking = looked
        if looked:
            self.redraw()

    def _session_changed(self) -> None:
        if self.is_mounted:
            self.call_later(self.show_status)
            self.post_message(self.Changed())

    def _link_changed(self) -> None:
        live = self._desk.live.state == "live"
        if live and not self._was_live and self.session.state in ("lost", "opening"):
            self.session.retry()
        self._was_live = live

    # --- drawing ---------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw it as it is now: it, or something about how, has changed."""
        self.look.mark()
        if not self.session.looking or self._frames is None:
            return
        if self.look.due:
            self.call_later(self._frame)
        else:
            self._frames.resume()

    def _frame(self) -> None:
        """Draw what is due; no more frames if there is nothing left to draw."""
        more = self.session.looking and self.look.frame()
        self._tell_how()
        if self._frames is not None:
            (self._frames.resume if more else self._frames.pause)()

    def _drawn_aside(self) -> None:
        self._tell_how()
        if self.look.stale and self.session.looking and self._frames is not None:
            self._frames.resume()

    def _tell_how(self) -> None:
        """If it was drawn in another way than before, or has another size, that is in the status line."""
        if self._drawn_as != self.look.drawn_as:
            self._drawn_as = self.look.drawn_as
            self._session_changed()

    @on(FramebufferWidget.Resized)
    def _resized(self, event: FramebufferWidget.Resized) -> None:
        event.stop()
        self.look.resized(event.columns, event.rows)
        self.redraw()

    def _graphics_known(self) -> None:
        self.look.graphics_known()
        self.redraw()

    def _resumed(self, _app: object) -> None:
        self.look.send_again()
        self.redraw()

    # --- keys, pointer, paste --------------------------------------------------------------------

    def press(self, stroke: keys.Stroke | None) -> bool:
        """Press keys together; says so if nobody takes them."""
        if stroke is None:
            return False
        if self.hung or not self.session.press(stroke):
            self.cockpit.flash(screen_words.nobody_listens(self), "busy", 4)
            return False
        return True

    @on(FramebufferWidget.KeyPressed)
    def _pressed(self, event: FramebufferWidget.KeyPressed) -> None:
        event.stop()
        self.press(keys.stroke(event.key, event.character))

    @on(FramebufferWidget.Pointed)
    def _pointed(self, event: FramebufferWidget.Pointed) -> None:
        event.stop()
        if not self.hung:
            self.session.point(event.x, event.y, event.buttons)

    @on(FramebufferWidget.Pasted)
    def _pasted(self, event: FramebufferWidget.Pasted) -> None:
        event.stop()
        typing = self.session.as_typed(event.text)
        question = screen_words.paste_question(event.text, typing, self.title)
        if question is None:
            self._paste(typing)
            return

        def answered(yes: bool | None) -> None:
            self.framebuffer.focus()
            if yes:
                self._paste(typing)

        self.app.push_screen(ConfirmScreen(question), answered)

    def _paste(self, typing: keys.Typing) -> None:
        if self.hung or not self.session.paste(typing):
            self.cockpit.flash(screen_words.nobody_listens(self), "busy", 4)

    @on(FramebufferWidget.Copied)
    def _copied(self, event: FramebufferWidget.Copied) -> None:
        event.stop()
        self.cockpit.flash(console_render.copied_words(event.text, event.whole), "dim", 3)

    def search(self, text: str) -> None:
        """Search for a text, and say how often it is there; nothing ends the search."""
        try:
            found = self.framebuffer.search(text)
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        if text:
            said = f"{found:,} found: n before, N after" if found else f"{text} is nowhere on the screen"
            self.cockpit.flash(said, "dim", 4)
