"""Who is attached to a console, and which of them types: the first who asks, until somebody takes it."""

from __future__ import annotations

from collections.abc import Callable

from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.errors import BusyError
from pilot.wire import Notice, plain

MAX_VIEWERS = 512
MAX_OF_ONE = 16
"""Viewers of one principal, so that nobody can keep the others out."""


class Keyboard:
    """The viewers of one console. `presence` is told the writer and how many others are attached."""

    def __init__(self, presence: Callable[[str, int], None]) -> None:
        self.viewers: list[Viewer] = []
        self.writer: Viewer | None = None
        self._presence = presence

    @property
    def writer_name(self) -> str:
        """The principal who types, or nothing."""
        return plain(self.writer.principal) if self.writer else ""

    @property
    def watchers(self) -> int:
        """How many others are attached."""
        return len(self.viewers) - (self.writer is not None)

    def join(self, viewer: Viewer, mode: Mode) -> None:
        """Attach a viewer.

        Raises:
            BusyError: there are too many, of this principal or in all.
        """
        own = sum(1 for other in self.viewers if other.principal == viewer.principal)
        if own >= MAX_OF_ONE:
            raise BusyError(
                f"{plain(viewer.principal)} is attached to this console {own} times already",
                "Leave it somewhere else first.",
            )
        if len(self.viewers) >= MAX_VIEWERS:
            raise BusyError(
                f"{MAX_VIEWERS} viewers are attached to this console", "Wait until some have left."
            )
        others = list(self.viewers)
        self.viewers.append(viewer)
        takes = viewer.may_write and (mode == "take" or (mode == "write" and self.writer is None))
        name = plain(viewer.principal)
        if takes:
            self._hand_over(viewer, "joined", f"{name} has joined and types now")
        else:
            self._announce(others, Notice("joined", f"{name} has joined and watches"))
        self.announce_presence()

    def leave(self, viewer: Viewer) -> None:
        """A viewer is gone; the keyboard goes to the first who has asked for it."""
        if viewer not in self.viewers:
            return
        self.viewers.remove(viewer)
        name = plain(viewer.principal)
        if self.writer is viewer:
            viewer.writing = False
            self._pass_on(f"{name} has left")
        else:
            self._announce(self.viewers, Notice("left", f"{name} has left"))
        self.announce_presence()

    def demote(self, viewer: Viewer, text: str) -> None:
        """A viewer must not type any more; the keyboard goes on as if they had left."""
        if self.writer is viewer:
            viewer.writing = False
            viewer.tell(Notice("taken", text, writing=False))
            self._pass_on(f"{plain(viewer.principal)} watches now", but=viewer)
            self.announce_presence()

    def take(self, viewer: Viewer) -> str:
        """Give a viewer the keyboard; why not, or nothing."""
        if not viewer.may_write:
            return "your role lets you watch this console, not type at it"
        if self.writer is viewer:
            return "the keyboard is yours already"
        name = plain(viewer.principal)
        viewer.tell(Notice("writer", "the keyboard is yours now", writing=True))
        self._hand_over(viewer, "writer", f"{name} types now")
        self.announce_presence()
        return ""

    def refusal(self, viewer: Viewer) -> str:
        """Why what this viewer types has no effect, or nothing."""
        if self.writer is viewer:
            return ""
        if not viewer.may_write:
            return "your role lets you watch this console, not type at it"
        if self.writer is None:
            return "you watch; the keyboard is free: take it to type"
        return f"{self.writer_name} types here; take the keyboard to type yourself"

    def dismiss(self) -> list[Viewer]:
        """Nobody is attached any more; who was."""
        viewers, self.viewers, self.writer = self.viewers, [], None
        return viewers

    def announce_presence(self) -> None:
        """Tell who is here now."""
        self._presence(self.writer_name, self.watchers)

    def tell(self, notice: Notice) -> None:
        """A notice to all."""
        self._announce(self.viewers, notice)

    def _hand_over(self, viewer: Viewer, what: str, text: str) -> None:
        loser = self.writer
        self._appoint(viewer)
        viewer.asks = True
        if loser is not None:
            loser.writing = False
            loser.tell(
                Notice(
                    "taken", f"{plain(viewer.principal)} has taken the keyboard; you watch now", writing=False
                )
            )
            text = f"{plain(viewer.principal)} has taken the keyboard from {plain(loser.principal)}"
        others = [other for other in self.viewers if other is not viewer and other is not loser]
        self._announce(others, Notice("joined" if what == "joined" else "writer", text))

    def _pass_on(self, why: str, but: Viewer | None = None) -> None:
        """The writer types no more: the first who has asked for the keyboard gets it, and all are told."""
        self.writer = None
        others = [other for other in self.viewers if other is not but]
        heir = next((other for other in others if other.asks), None)
        if heir is None:
            self._announce(others, Notice("writer", f"{why}; the keyboard is free"))
            return
        self._appoint(heir)
        heir.tell(Notice("writer", f"{why}; the keyboard is yours now", writing=True))
        text = f"{why}; {plain(heir.principal)} types now"
        self._announce([other for other in others if other is not heir], Notice("writer", text))

    def _appoint(self, viewer: Viewer) -> None:
        self.writer = viewer
        viewer.writing = True

    @staticmethod
    def _announce(viewers: list[Viewer], notice: Notice) -> None:
        for viewer in viewers:
            viewer.tell(notice)
