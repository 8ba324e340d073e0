"""The tiles of a broadcast, and the sessions behind them: they live as long as the pane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.keys import key_to_character

from pilot import app_config, keymap
from pilot.console import keys, paste
from pilot.danger import Question
from pilot.live.broadcast import Broadcast, Member, engine
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.console import ConsoleSession
from pilot.live.opening import Mode
from pilot.records import Node
from pilot.render import broadcast as render
from pilot.render import console as console_words
from pilot.render.table import Cell
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.terminal import RELEASE_KEY
from pilot.widgets.tiles import Tiles

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream

COMPARE_SECONDS = 0.3
_CLOSE_SECONDS = 2.0


class TilesPane(Vertical):
    """All of them; `node` is the one under the cursor."""

    DEFAULT_CSS = """
    TilesPane { height: 1fr; width: 1fr; }
    """

    def __init__(
        self,
        cockpit: Cockpit,
        desk: Desk,
        nodes: Sequence[Node],
        turns: asyncio.Lock,
        changed: Callable[[], None],
    ) -> None:
        """Consoles of these nodes.

        Args:
            cockpit: what all screens share.
            desk: the site.
            nodes: whose consoles these are, each with a serial one.
            turns: shared by all consoles of the app.
            changed: called when there is something else to say.
        """
        super().__init__()
        self._cockpit = cockpit
        self._desk = desk
        self._first = tuple(nodes)
        self._tell_changed = changed
        members = [self._member(index, node, turns) for index, node in enumerate(nodes)]
        self.broadcast = Broadcast(members)
        release = keymap.release_key(cockpit.settings.keys, RELEASE_KEY)
        self.tiles = Tiles([member.session.engine for member in members], self._head, release)
        self._keeping: list[asyncio.Task[None]] = []
        self._was_live = True
        self._printed = False

    def _member(self, index: int, node: Node, turns: asyncio.Lock) -> Member:
        session = ConsoleSession(
            node.id,
            node.name or node.domain,
            self._opener(node),
            engine(),
            clock=self._cockpit.clock,
            turns=turns,
        )
        chosen = render.runs(node) and node.hung_ms is None
        return Member(session, chosen, lambda: render.runs(self._known(index)))

    def _opener(self, node: Node) -> Callable[[Mode, int, int], Awaitable[ConsoleStream]]:
        async def open(mode: Mode, columns: int, rows: int) -> ConsoleStream:
            return await self._desk.live.console(node.id, node.cluster, mode, columns, rows, _REPLAY)

        return open

    def compose(self) -> ComposeResult:
        """The tiles."""
        yield self.tiles

    def on_mount(self) -> None:
        """Open all, and follow them."""
        self._unlisten = [self.broadcast.changed.listen(self._changed)]
        for index, member in enumerate(self.broadcast.members):
            session = member.session
            self._unlisten += [
                session.printed.listen(partial(self._has_printed, index)),
                session.changed.listen(self._changed),
            ]
            self._keeping.append(asyncio.create_task(session.run(), name="broadcast"))
        self._unlisten.append(self._desk.live.changed.listen(self._link_changed))
        self.set_interval(COMPARE_SECONDS, self._compare)

    async def on_unmount(self) -> None:
        """Leave all."""
        for unlisten in self._unlisten:
            unlisten()
        for member in self.broadcast.members:
            member.session.close()
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=_CLOSE_SECONDS)
        for task in self._keeping:
            task.cancel()

    # --- what happens ----------------------------------------------------------------------------

    def _has_printed(self, index: int) -> None:
        self._printed = True
        self.tiles.draw_again(index)

    def _compare(self) -> None:
        if self._printed:
            self._printed = False
            self.broadcast.compare()

    def _changed(self) -> None:
        self.broadcast.join_own()
        if self.is_mounted:
            self._printed = True
            self.tiles.refresh()
            self.call_later(self._tell_changed)

    def _link_changed(self) -> None:
        live = self._desk.live.state == "live"
        if live and not self._was_live:
            for member in self.broadcast.members:
                if member.session.state in ("lost", "opening"):
                    member.session.retry()
        self._was_live = live

    @on(Tiles.KeyTyped)
    def _typed(self, event: Tiles.KeyTyped) -> None:
        event.stop()
        if not self.broadcast.typed_at:
            self._say_nobody_listens()
        else:
            self.broadcast.type(event.key, event.character)

    @on(Tiles.Pasted)
    def _pasted(self, event: Tiles.Pasted) -> None:
        event.stop()
        there = self.broadcast.typed_at
        if not there:
            self._say_nobody_listens()
            return
        asked = paste.question(event.text)
        if asked is None:
            self.broadcast.paste(event.text)
            return
        seconds = paste.seconds(paste.prepare(event.text, there[0].session.engine.modes))
        what, words = console_words.paste_question(asked, seconds)
        names = tuple(member.session.name for member in there)
        question = Question("confirm", f"Paste {what} into {len(there)} consoles?", "Paste", words, names)

        def answered(yes: bool | None) -> None:
            self.tiles.focus()
            if yes:
                self.broadcast.paste(event.text)

        self.app.push_screen(ConfirmScreen(question), answered)

    def _say_nobody_listens(self) -> None:
        self._cockpit.flash(f"nothing is typed: {self.leave_words} then space chooses consoles", "busy", 4)

    # --- as the tab wants it ---------------------------------------------------------------------

    @property
    def member(self) -> Member:
        """The console under the cursor."""
        return self.broadcast.members[self.tiles.cursor]

    @property
    def node(self) -> Node:
        """The node under the cursor, as it is known now."""
        return self._known(self.tiles.cursor)

    @property
    def title(self) -> str:
        """How many they are."""
        return f"{len(self._first)} nodes"

    @property
    def typing(self) -> bool:
        """Whether keys go to the guests."""
        return self.tiles.has_focus

    @property
    def leave_words(self) -> str:
        """The release key as people write it."""
        *modifiers, key = self.tiles.release_key.split("+")
        return app_config.shown_key("+".join([*modifiers, key_to_character(key) or key]))

    def take_keys(self) -> None:
        """Keys go to the guests from now on."""
        self.tiles.focus()

    def type_release_key(self) -> None:
        """The guests get the release key itself."""
        for member in self.broadcast.typed_at:
            modes = member.session.engine.modes
            member.session.type(keys.encode(self.tiles.release_key, None, modes) or b"")

    def show_status(self) -> None:
        """Draw the lines over the tiles anew."""
        self.tiles.refresh()

    def said(self) -> list[Cell]:
        """To whom one types, unless something else is to be said in passing."""
        flash, at = self._cockpit.flashed(), len(self.broadcast.typed_at)
        if flash is not None:
            return [Cell(flash.text, flash.tone)]
        if not self.typing:
            return []
        count = len(self.broadcast.members)
        leave = [Cell(f"   {self.leave_words}", "strong"), Cell(" leaves", "dim")]
        return [Cell(render.typing(at, count), "strong" if at == count else "busy"), *leave]

    def differ_words(self) -> str:
        """Who answered differently."""
        members, differing = self.broadcast.members, self.broadcast.differing
        return render.differ([one.session.name for one in members if one.session.node in differing])

    def can(self, action: str) -> bool | None:
        """Whether an action of the tab makes sense now; None if it always does."""
        session = self.member.session
        return {
            "take": session.state == "live" and not session.writing,
            "join": session.state == "live" and not session.writing,
            "again": session.state in ("lost", "ended"),
            "cancel_paste": self.broadcast.pasting,
            "diff": bool(self.broadcast.differing),
            "turn": self.tiles.pages > 1,
        }.get(action)

    def _known(self, index: int) -> Node:
        first = self._first[index]
        record = self._desk.live.store.records.get(first.id)
        return record if isinstance(record, Node) else first

    def _head(self, index: int) -> tuple[Sequence[Cell], Sequence[Cell]]:
        member = self.broadcast.members[index]
        differs = member.session.node in self.broadcast.differing
        return render.head(member.session, self._known(index), member.chosen, differs, self._cockpit.clock())


_REPLAY = 65_536
"""Bytes of what was printed before that a tile asks for: enough for its screen."""
