"""One node's serial console: what it printed, who is attached, and what happens to the node."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from pilot import asciicast
from pilot.agent.consoles import markers
from pilot.agent.consoles.company import Company, names
from pilot.agent.consoles.holder import Holder, Open
from pilot.agent.consoles.keyboard import Keyboard
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.log_files import MARK, OUTPUT
from pilot.agent.consoles.markers import Form
from pilot.agent.consoles.recall import Recall
from pilot.agent.consoles.ring import Ring
from pilot.agent.consoles.story import Story
from pilot.agent.consoles.tail import Tails
from pilot.agent.consoles.tenant import Tenant
from pilot.agent.consoles.trouble import Trouble
from pilot.agent.consoles.typist import Typist
from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.backends.provider import Serial
from pilot.records import Node
from pilot.wire import Attached, Notice, Output, plain

Recorder = Callable[[str, bytes], None]
"""Told what is recorded, with its code (pilot.asciicast): printed, typed, or the words of a marker."""


class Console:
    """Joins the holder (below) with the ring and the viewers (above); `Story` tells what happens."""

    def __init__(
        self,
        node_id: str,
        open_console: Open,
        name: Callable[[], str],
        clock: Callable[[], float],
        presence: Callable[[str, int], None],
        chance: random.Random,
        log: ConsoleLog | None = None,
        absent_since: float = 0.0,
    ) -> None:
        """Nothing is known of the node yet.

        Args:
            node_id: the node's UUID.
            open_console: opens its console.
            name: what it is called now.
            clock: seconds since the epoch.
            presence: told who types (several with commas) and how many others are attached.
            chance: for jitter.
            log: what keeps on the disk what is printed, if anything does.
            absent_since: when airboss was there last before this time, if the log goes back so far.
        """
        self.log = log
        self.ring = Ring(start=log.end if log is not None else 0)
        self.recall = Recall(self, log)
        """Await it before somebody is shown the ring: what was printed before airboss began is put there."""
        self._absent_since = absent_since
        self.recorder: Recorder | None = None
        """Told what happens here, while that is recorded."""
        self._tenant: Tenant | None = None
        self.company = Company(clock, presence)
        self.keyboard = Keyboard(self.company)
        self.tails = Tails()
        self._id = node_id
        self._name = name
        self._clock = clock
        self._holder = Holder(open_console, self, chance)
        self._typist = Typist(self._not_typed)
        self._was_held = False
        self._trouble = Trouble(self._say_lost, self._say_not_held)
        self._story = Story(self, self._holder, self._trouble, self._typist)
        self.company.on_change = self._wanted
        self._shared: tuple[int, int, Output] = (-1, -1, Output(b""))

    # --- what the agent tells ---------------------------------------------------------------

    def node_changed(self, node: Node) -> None:
        """The inventory has a newer record of the node."""
        self._story.node_changed(node)

    def owned_by(self, tenant: Tenant, text: str) -> None:
        """Whose the node is now. If that are others, those who are attached must go, and are told why."""
        known = self._tenant
        same = known is None or known.is_still(tenant)
        if known is None or not same:
            self._tenant = tenant
        if not same or not (self.log is None or self.log.belongs(tenant)):
            self._begin_anew(tenant, text)

    def _begin_anew(self, tenant: Tenant, text: str) -> None:
        """Others own the node now: nothing from before is kept.

        The console stays held, so that the new owners miss nothing.
        """
        for viewer in self.company.dismiss():
            viewer.close(text)
        self.tails.close(text)
        self._typist.forget()
        self.recall.stop()
        self.ring = Ring()
        if self.log is not None:
            self.log.begin_anew(tenant)
        self._shared = -1, -1, Output(b"")
        if self._story.runs:
            self.mark("the console is kept from here on", "host", markers.aside)

    async def starting(self) -> None:
        """The node will run once this returns; the caller sets the deadline."""
        await self._story.starting()

    def attach(self, principal: str, mode: Mode, may_write: bool, back: int | None) -> Viewer:
        """A new viewer. Raises BusyError if there are too many."""
        viewer = Viewer(self, principal, mode != "watch", may_write, back)
        self.keyboard.enter(viewer, mode)
        writers = self.keyboard.writers
        viewer.attached = Attached(
            self._id,
            plain(self._name()),
            viewer.writing,
            viewer.replay,
            names(writers),
            len(self.company.viewers) - len(writers),
            viewer.start,
            self.oldest,
        )
        if (situation := self.situation()) is not None:
            viewer.tell(situation)
        if self.recorder is not None:
            self.recorder(asciicast.MARKER, f"{plain(principal)} joined".encode(errors="replace"))
        self._wanted()
        self._holder.nudge()
        return viewer

    def record(self, recorder: Recorder | None) -> None:
        """Have somebody told what happens here; None ends it."""
        self.recorder = recorder
        self._wanted()

    def _wanted(self) -> None:
        self._story.wanted(bool(self.company.viewers or self.recorder))

    @property
    def oldest(self) -> int:
        """Offset of the oldest byte that is kept, in the log or in the ring."""
        start = self.ring.start
        return start if self.log is None or not self.log.on_disk else min(self.log.oldest, start)

    def situation(self) -> Notice | None:
        """What must be said to one who comes now: why nothing is printed."""
        name = plain(self._name())
        if self._story.stale:
            return Notice("host", f"the host of {name} does not answer")
        if self._trouble.told:
            return Notice("host", self._trouble.told)
        if self._story.runs is not True:
            state = self._story.node.state if self._story.node else "off"
            return Notice("power", f"{name} is {state}; its console follows once it is on")
        return None

    async def stop(self, text: str) -> None:
        """Let the console go and end all streams, saying why."""
        self._story.stop()
        for viewer in self.company.dismiss():
            viewer.finish(text)
        self.tails.finish(text)
        self._trouble.clear()
        self._typist.disconnect()
        self.recall.stop()
        await self._holder.stop()

    # --- what viewers ask -------------------------------------------------------------------

    def typed(self, viewer: Viewer, data: bytes) -> str:
        """Type for a viewer; why that has no effect, or nothing."""
        if refusal := self.keyboard.refusal(viewer):
            return refusal
        if not self._typist.connected:
            why = "has just lost its console" if self._trouble.is_lost else "does not run"
            return self._trouble.told or f"{plain(self._name())} {why}: there is nothing to type at"
        if why := self._type(data):
            return why
        self.company.typed(viewer)
        return ""

    def type(self, data: bytes) -> str:
        """Type for nobody who is attached; why that has no effect, or nothing."""
        if not self._typist.connected:
            return self._trouble.told or "airboss does not hold its console now"
        return self._type(data)

    def _type(self, data: bytes) -> str:
        if not (why := self._typist.type(data)) and self.recorder is not None:
            self.recorder(asciicast.INPUT, data)
        return why

    def tell(self, notice: Notice) -> None:
        """A notice to all who are attached."""
        self.company.tell(notice)

    async def room(self) -> None:
        """Wait while the guest has much to take of what was typed."""
        await self._typist.room()

    def chunk(self, offset: int, limit: int) -> Output:
        """What was printed from an offset on; viewers that keep pace share one frame."""
        end = min(offset + limit, self.ring.end)
        if self._shared[:2] != (offset, end):
            self._shared = offset, end, Output(self.ring.read(offset, limit))
        return self._shared[2]

    # --- what the holder tells --------------------------------------------------------------

    def held(self, serial: Serial) -> None:
        """The console is held: from the first byte, or with something missing, which is said."""
        if self._story.held():
            self.mark(self._held_text(), "host", markers.aside)
        if self._trouble.told:
            self.announce(f"the console of {plain(self._name())} is held now")
        self._was_held = True
        self._trouble.clear()
        self._typist.connect(serial)

    def printed(self, data: bytes, kind: int = OUTPUT) -> None:
        """The guest printed something, or airboss for it."""
        self.ring.append(data)
        if self.log is not None:
            self.log.append(data, kind)
        if self.recorder is not None:
            self.recorder(asciicast.OUTPUT, data)
        for viewer in self.company.viewers:
            viewer.wake()
        self.tails.wake()

    def fetched(self, data: bytes, gap: bool) -> None:
        """What the guest printed while the console was not held, as its provider got it otherwise."""
        if gap:
            self.mark(
                "something is missing here: EC2 keeps only the last that was printed", "host", markers.aside
            )
        self.printed(data)

    def lost(self, why: str) -> None:
        """The console ended by itself; what that means is told by the node's record, which may be late."""
        self._typist.disconnect()
        self._trouble.lost(why)
        self._story.lost()

    def not_held(self, why: str) -> None:
        """A try to hold it failed."""
        self._trouble.failed(f"the console of {plain(self._name())} cannot be held: {plain(why)}")

    def _held_text(self) -> str:
        """That it is held, and what may be missing before."""
        if self._was_held:
            return "console held again; there may be a gap"
        if self.log is None or not self.log.last_written:
            return "console held from here on"
        then, now = markers.stamp(self._absent_since), markers.stamp(self._clock())
        return f"console held again; airboss was not there from {then} to {now}"

    def _say_lost(self, why: str) -> None:
        self.mark(f"console lost: {why}", "host", markers.aside)

    def _say_not_held(self, text: str) -> None:
        self.announce(text + "; trying again")

    # --- what the story tells ---------------------------------------------------------------

    def mark(self, text: str, what: Literal["power", "host"], form: Form, kind: int = MARK) -> None:
        """A line in what the console printed, for everybody and for later."""
        line = markers.words(self._name(), text, self._clock())
        if self.recorder is not None:  # Before the line: who jumps to the marker sees it.
            self.recorder(asciicast.MARKER, plain(text).encode(errors="replace"))
        self.printed(form(self.ring.state(), line), kind)
        self.company.tell(Notice(what, f"{plain(self._name())}: {text}"))

    def announce(self, text: str) -> None:
        """Words on the host for those who are there now."""
        notice = Notice("host", text)
        self.company.tell(notice)
        self.tails.tell(notice)

    def _not_typed(self, why: str) -> None:
        for writer in self.keyboard.writers:
            writer.tell(Notice("writer", why))
