"""Who types at a console: the first who asks, until somebody takes it; more of them if they join.

Whoever does not type watches. What changes is told to all: to those concerned what it means for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilot.agent.consoles.company import Company, names
from pilot.agent.rate import Rate
from pilot.wire import Notice, plain

if TYPE_CHECKING:
    from pilot.agent.consoles.viewer import Mode, Viewer

MAX_WRITERS = 16
"""Who may type at the same time."""
CHANGES_AT_ONCE, CHANGES_A_SECOND = 10, 1.0
"""How often one principal may take, join or release the keyboard."""

_ROLE = "your role lets you watch this console, not type at it"


class Keyboard:
    """Decides who of a console's company types."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._changes = Rate(burst=CHANGES_AT_ONCE, per_second=CHANGES_A_SECOND)

    @property
    def writers(self) -> list[Viewer]:
        """Who types, in the order they came."""
        return [viewer for viewer in self._company.viewers if viewer.writing]

    def enter(self, viewer: Viewer, mode: Mode) -> None:
        """Attach a viewer.

        Raises:
            BusyError: there are too many.
        """
        self._company.add(viewer)
        name, writers = plain(viewer.principal), self.writers
        viewer.writing = viewer.may_write and (
            mode == "take"
            or (mode == "write" and not writers)
            or (mode == "join" and len(writers) < MAX_WRITERS)
        )
        if not viewer.writing:
            self._company.tell_of(viewer, Notice("joined", f"{name} has joined and watches"))
        elif mode == "take" and writers:
            self._unseat(writers, viewer)
        else:
            types = "types too" if writers else "types"
            self._company.tell_of(viewer, Notice("joined", f"{name} has joined and {types} now"))
        self._company.changed()

    def leave(self, viewer: Viewer) -> None:
        """A viewer is gone; if nobody types any more, the keyboard goes to the first who has asked for it."""
        if viewer not in self._company.viewers:
            return
        self._company.viewers.remove(viewer)
        why = f"{plain(viewer.principal)} has left"
        if viewer.writing and not self.writers:
            self._pass_on(why)
        else:
            self._company.tell_of(viewer, Notice("left", why))
        viewer.writing = False
        self._company.changed()

    def take(self, viewer: Viewer) -> str:
        """Give a viewer the keyboard alone; why not, or nothing."""
        losers = [other for other in self.writers if other is not viewer]
        if viewer.writing and not losers:
            return "the keyboard is yours already"
        if refusal := self._may_change(viewer):
            return refusal
        self._seat(viewer, "the keyboard is yours now")
        if losers:
            self._unseat(losers, viewer)
        else:
            self._company.tell(Notice("writer", f"{plain(viewer.principal)} types now"), (viewer,))
        self._company.changed()
        return ""

    def join(self, viewer: Viewer) -> str:
        """Let a viewer type beside those who do; why not, or nothing."""
        writers = self.writers
        if viewer.writing:
            return "you type here already"
        if not writers:
            return self.take(viewer)
        if len(writers) >= MAX_WRITERS:
            return f"{MAX_WRITERS} type here already; take the keyboard, or wait until one of them watches"
        if refusal := self._may_change(viewer):
            return refusal
        self._seat(viewer, f"you type too now, beside {names(writers)}")
        self._company.tell(Notice("writer", f"{plain(viewer.principal)} types too now"), (viewer,))
        self._company.changed()
        return ""

    def release(self, viewer: Viewer, to: int) -> str:
        """A viewer gives the keyboard back, or to the one with this id; why not, or nothing."""
        if not viewer.writing:
            return "you do not type here: there is nothing to give back"
        if to:
            return self._hand_over(viewer, to)
        if refusal := self._may_change(viewer):
            return refusal
        name = plain(viewer.principal)
        viewer.asks = False
        self._unseat_one(viewer, Notice("writer", "you have given the keyboard back; you watch now"))
        if self.writers:
            self._company.tell(Notice("writer", f"{name} watches now"), (viewer,))
        else:
            self._pass_on(f"{name} has given the keyboard back", viewer)
        self._company.changed()
        return ""

    def demote(self, viewer: Viewer, text: str) -> None:
        """A viewer must not type any more; the keyboard goes on as if they had left."""
        viewer.may_write = viewer.asks = False
        if viewer.writing:
            why = f"{plain(viewer.principal)} watches now"
            self._unseat_one(viewer, Notice("taken", text))
            if self.writers:
                self._company.tell(Notice("writer", why), (viewer,))
            else:
                self._pass_on(why, viewer)
        self._company.changed()

    def promote(self, viewer: Viewer, text: str) -> None:
        """A viewer may type from now on, if they ask for it."""
        viewer.may_write = True
        viewer.tell(Notice("writer", text))
        self._company.changed()

    def refusal(self, viewer: Viewer) -> str:
        """Why what this viewer types has no effect, or nothing."""
        if viewer.writing:
            return ""
        if not viewer.may_write:
            return _ROLE
        if writers := self.writers:
            type_here = "types here" if len(writers) == 1 else "type here"
            return f"{names(writers)} {type_here}; take the keyboard to type yourself, or join"
        return "you watch; the keyboard is free: take it to type"

    def _may_change(self, viewer: Viewer) -> str:
        """Why this viewer may not change who types, or nothing."""
        if not viewer.may_write:
            return _ROLE
        if not self._changes.allows(viewer.principal):
            return "the keyboard changes hands too often; wait a moment"
        return ""

    def _hand_over(self, viewer: Viewer, to: int) -> str:
        heir = next((other for other in self._company.viewers if other.id == to), None)
        if heir is None:
            return "the one whom you want to hand the keyboard to is not here any more"
        name, heirs = plain(viewer.principal), plain(heir.principal)
        if heir is viewer:
            return "the keyboard is yours already"
        if not heir.may_write:
            return f"the role of {heirs} is to watch this console, not to type at it"
        if refusal := self._may_change(viewer):
            return refusal
        viewer.asks = False
        self._unseat_one(viewer, Notice("writer", f"you have handed the keyboard to {heirs}; you watch now"))
        self._seat(heir, f"{name} has handed the keyboard to you: you type now")
        self._company.tell(Notice("writer", f"{name} has handed the keyboard to {heirs}"), (viewer, heir))
        self._company.changed()
        return ""

    def _pass_on(self, why: str, but: Viewer | None = None) -> None:
        """Nobody types any more: the first who has asked for the keyboard gets it, and all are told."""
        told = () if but is None else (but,)
        heir = next((other for other in self._company.viewers if other.asks and other is not but), None)
        if heir is None:
            self._company.tell(Notice("writer", f"{why}; the keyboard is free"), told)
            return
        self._seat(heir, f"{why}; the keyboard is yours now")
        text = f"{why}; {plain(heir.principal)} types now"
        self._company.tell(Notice("writer", text), (*told, heir))

    def _unseat(self, losers: list[Viewer], by: Viewer) -> None:
        """All but one watch from now on; all are told."""
        name = plain(by.principal)
        for loser in losers:
            self._unseat_one(loser, Notice("taken", f"{name} has taken the keyboard; you watch now"))
        text = f"{name} has taken the keyboard from {names(losers)}"
        self._company.tell(Notice("writer", text), (by, *losers))

    @staticmethod
    def _seat(viewer: Viewer, text: str) -> None:
        viewer.writing = viewer.asks = True
        viewer.tell(Notice("writer", text, writing=True))

    @staticmethod
    def _unseat_one(viewer: Viewer, notice: Notice) -> None:
        viewer.writing = False
        viewer.tell(Notice(notice.what, notice.text, writing=False))
