"""One console in a tab: its status line, and the terminal below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Vertical
from textual.keys import key_to_character
from textual.message import Message

from pilot import app_config, keymap
from pilot.console import keys, paste
from pilot.console.bittty_engine import BitttyEngine
from pilot.danger import Question
from pilot.errors import PilotError
from pilot.key_sequences import KeySequence
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.console import ConsoleSession
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.render import console as render
from pilot.render.table import Cell
from pilot.screens import console_words
from pilot.screens.boot_look import BootLook
from pilot.screens.lending import lend_terminal
from pilot.widgets.cell_line import CellLine
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.terminal import RELEASE_KEY, TerminalWidget

if TYPE_CHECKING:
    from pilot import wire
    from pilot.link.console_stream import ConsoleStream

USUAL_SIZE = (80, 24)
"""What programs take a terminal for that does not say its size, as a serial line does not."""
_CLOSE_SECONDS = 2.0


class ConsolePane(Vertical):
    """A session and its terminal. The session lives as long as the pane."""

    DEFAULT_CSS = """
    ConsolePane {
        height: 1fr;
        width: 1fr;
        & > .status { background: $panel; }
        &.-active > .status { background: $accent 12%; }
        &.-typing > .status { background: $accent 25%; text-style: bold; }
        &:ansi > .status { background: ansi_default; text-style: underline; }
        &.-active:ansi > .status { background: ansi_default; text-style: underline bold; }
        &.-typing:ansi > .status { background: ansi_default; text-style: bold reverse; }
    }
    """

    class Changed(Message):
        """The session is in another state, or was told something."""

        def __init__(self, pane: ConsolePane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(
        self,
        cockpit: Cockpit,
        desk: Desk,
        node: Node,
        mode: Mode,
        turns: asyncio.Lock,
        printed: Callable[[], None],
    ) -> None:
        """A node's console, opened in a mode.

        Args:
            cockpit: what all screens share.
            desk: the site.
            node: whose console it is.
            mode: write, watch, or take.
            turns: shared by all consoles of the app.
            printed: called whenever the guest has printed something, very often while it floods.
        """
        super().__init__()
        self._cockpit = cockpit
        self._desk = desk
        self._first = node
        self._tell_printed = printed
        engine = BitttyEngine(*USUAL_SIZE, scrollback=cockpit.settings.scrollback)
        # A shell in a guest can do all that the verbs can.
        mode = "watch" if cockpit.readonly else mode
        self.session = ConsoleSession(
            node.id,
            node.name or node.domain,
            self.open,
            engine,
            mode=mode,
            clock=cockpit.clock,
            turns=turns,
            log=self._log,
            older_lines=2 * cockpit.settings.scrollback,
        )
        release = keymap.release_key(cockpit.settings.keys, RELEASE_KEY)
        self.terminal = TerminalWidget(engine, release_key=release)
        self._boots = BootLook(self.terminal)
        self._was_live = True
        self._bells = 0
        self._sized = False

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
    def typing(self) -> bool:
        """Whether keys go to the guest."""
        return self.terminal.has_focus

    def take_keys(self) -> None:
        """Keys go to the guest from now on."""
        self.terminal.look_at_bottom()
        self.terminal.focus()

    def type_release_key(self) -> None:
        """The guest gets the release key itself."""
        terminal = self.terminal
        terminal.send(keys.encode(terminal.release_key, None, terminal.engine.modes) or b"")

    def compose(self) -> ComposeResult:
        """Status line and terminal."""
        yield CellLine(classes="status")
        yield self.terminal

    def on_mount(self) -> None:
        """Follow session and link."""
        live = self._desk.live
        self._unlisten = [
            self.session.changed.listen(self._session_changed),
            self.session.printed.listen(self._printed),
            live.changed.listen(self._link_changed),
        ]
        self._was_live = live.state == "live"
        self.show_status()

    def on_resize(self) -> None:
        """There is more room for words, or less."""
        self.show_status()

    async def on_unmount(self) -> None:
        """Leave the console."""
        for unlisten in self._unlisten:
            unlisten()
        self.session.close()
        if self._keeping is not None:
            await asyncio.wait({self._keeping}, timeout=_CLOSE_SECONDS)
            self._keeping.cancel()

    _keeping: asyncio.Task[None] | None = None

    @on(TerminalWidget.Resized)
    def _resized(self, event: TerminalWidget.Resized) -> None:
        event.stop()
        self.begin(event.columns, event.rows)

    def begin(self, columns: int, rows: int) -> None:
        """Give the terminal this size, and open the console if it is not: it is opened with its first size.

        Where the size is known, this need not wait for the pane to be there: airboss takes as long as that.
        """
        self.session.resize(columns, rows)
        if self._keeping is None:
            self._keeping = asyncio.create_task(self.session.run(), name="console")

    def fix_size(self, fixed: bool) -> None:
        """80 by 24 whatever the room is, or as large as the room."""
        self.terminal.fix(fixed)
        if fixed:
            self.session.resize(*USUAL_SIZE)

    @on(TerminalWidget.KeysTyped)
    def _typed(self, event: TerminalWidget.KeysTyped) -> None:
        event.stop()
        if not self.session.type(event.data) and not event.report:
            self._say_nobody_listens()

    @on(TerminalWidget.Pasted)
    def _pasted(self, event: TerminalWidget.Pasted) -> None:
        event.stop()
        asked = paste.question(event.text)
        if asked is None:
            self._paste(event.text)
            return
        seconds = paste.seconds(paste.prepare(event.text, self.session.engine.modes))
        what, words = render.paste_question(asked, seconds)
        question = Question("confirm", f"Paste {what} into {self.session.name}?", "Paste", words, ())

        def answered(yes: bool | None) -> None:
            self.terminal.focus()
            if yes:
                self._paste(event.text)

        self.app.push_screen(ConfirmScreen(question), answered)

    def _paste(self, text: str) -> None:
        if not self.session.paste(text):
            self._say_nobody_listens()

    @on(TerminalWidget.Copied)
    def _copied(self, event: TerminalWidget.Copied) -> None:
        event.stop()
        self._cockpit.flash(render.copied_words(event.text, event.whole), "dim", 3)

    def _say_nobody_listens(self) -> None:
        session = self.session
        if session.state != "live":
            said = f"nothing is typed: the console is {session.state}"
        elif self._cockpit.readonly:
            said = "you watch: this is a read-only look"
        else:
            said = f"you watch: {self.leave_words} then t takes the keyboard, j types too"
        self._cockpit.flash(said, "busy", 4)

    @property
    def leave_words(self) -> str:
        """The release key as people write it."""
        *modifiers, key = self.terminal.release_key.split("+")
        return app_config.shown_key("+".join([*modifiers, key_to_character(key) or key]))

    async def open(self, mode: Mode, columns: int, rows: int) -> ConsoleStream:
        """Open the console once more, on whatever link there is.

        Raises:
            PilotError: as for `LiveSite.console`.
        """
        node = self.node
        return await self._desk.live.console(node.id, node.cluster, mode, columns, rows, self.session.replay)

    async def _open_whole(self, mode: Mode, columns: int, rows: int) -> ConsoleStream:
        """The same with all that airboss shows: a plain terminal has a scrollback of its own."""
        node = self.node
        return await self._desk.live.console(node.id, node.cluster, mode, columns, rows)

    def _log(self, before: int, last: int) -> AsyncIterator[wire.LogPage]:
        node = self.node
        return self._desk.live.log(node.id, node.cluster, before=before, last=last)

    def _session_changed(self) -> None:
        if self.is_mounted:
            self.call_later(self.show_status)
            self.post_message(self.Changed(self))

    def _printed(self) -> None:
        self.terminal.engine_changed()
        self._tell_printed()
        if self.session.engine.bells != self._bells:
            self._bells = self.session.engine.bells
            if self._cockpit.settings.bell and self.screen.is_current:
                self.app.bell()

    def _link_changed(self) -> None:
        live = self._desk.live.state == "live"
        if live and not self._was_live and self.session.state in ("lost", "opening"):
            self.session.retry()
        self._was_live = live

    @property
    def may_write(self) -> bool:
        """Whether the user may have the keyboard at all, as far as is known."""
        people = self.session.people
        me = people.me if people is not None else None
        return not self._cockpit.readonly and (me is None or me.may_write)

    def can(self, action: str) -> bool | None:
        """Whether an action of the tab makes sense now; None if it always does."""
        return console_words.can(self, action, self._cockpit.readonly)

    def said(self) -> list[Cell]:
        """What is to be said now instead of the keys: of a paste, in passing, or of the console."""
        return console_words.said(self, self._cockpit)

    def type_sequence(self, sequence: KeySequence) -> bool:
        """Begin to type a sequence of the user's own; whether anybody takes it."""
        pieces = sequence.pieces()
        taken = self.session.send_keys([paste.Chunk(piece, sequence.wait) for piece in pieces])
        if not taken:
            self._say_nobody_listens()
        return taken

    def look_at_boot(self) -> None:
        """Show where the node was turned on last; if that was just done, the time before."""
        self._cockpit.flash(self._boots.look_further_up(self.session.loading), "dim", 6)

    def search(self, text: str) -> None:
        """Search for a text, and say how often it is there; nothing ends the search."""
        try:
            found = self.terminal.search(text)
        except PilotError as error:
            self._cockpit.flash_error(error)
            return
        if text:
            said = f"{found:,} found: n older, N newer" if found else f"{text} is nowhere in what is kept"
            self._cockpit.flash(said, "dim", 4)

    @work(exclusive=True, group="full")
    async def go_full(self) -> None:
        """The console in the whole of the user's terminal, until `Ctrl+]`."""
        session = self.session
        shared = session.people is not None and any(person.writing for person in session.people.others)
        mode: Mode = ("join" if shared else "take") if session.writing else "watch"
        session.pause()
        try:
            await lend_terminal(self.app, self._open_whole, mode)
        except PilotError as error:
            self._cockpit.flash_error(error)
        except SuspendNotSupported:
            self._cockpit.flash("this terminal cannot be given away", "bad")
        finally:
            session.resume(mode)
            self.terminal.redraw()
            self.terminal.focus()

    def show_status(self) -> None:
        """Draw the status line as things are now."""
        if self.is_mounted:
            known = self._desk.live.store.records.get(self._first.id)
            node = known if isinstance(known, Node) else None
            room = self.size.width or self.screen.size.width
            self.query_one(CellLine).show(*render.status(self.session, node, self._cockpit.clock(), room))
