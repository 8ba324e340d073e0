"""Several consoles that one types at together. Nothing here knows of widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pilot.console import keys
from pilot.console.bittty_engine import BitttyEngine
from pilot.live.console import ConsoleSession
from pilot.live.differing import Answer, Mark, differing, usual
from pilot.live.notifier import Notifier

SIZE = (80, 24)
"""What programs take a terminal for that does not say its size; all are compared at the same one."""
SCROLLBACK = 500
"""Lines kept of each: what is compared, and more; a console's own tab has all."""
MOST = 16
"""Consoles that are typed at together: each has a channel and a terminal of its own."""
_ENDS = (b"\r", b"\n")


class Member:
    """One console of a broadcast."""

    def __init__(
        self, session: ConsoleSession, chosen: bool = True, runs: Callable[[], bool] = lambda: True
    ) -> None:
        """`chosen`: whether what is typed goes there. `runs`: whether there is a guest that could take it."""
        self.session = session
        self.chosen = chosen
        self.runs = runs
        self.mark = Mark(session.engine)
        self.asked = False
        """Whether a line was sent to it that the others got, too."""

    @property
    def typed_at(self) -> bool:
        """Whether what is typed arrives: it is chosen, on, live, and nobody else has the keyboard."""
        return self.chosen and self.session.state == "live" and self.session.writing and self.runs()


class Broadcast:
    """The consoles, in their order. Who made the sessions runs them, too."""

    def __init__(self, members: Sequence[Member]) -> None:
        """None has been sent anything yet."""
        self.members = tuple(members)
        self.changed = Notifier()
        """Who is typed at, or who differs."""
        self.differing: frozenset[str] = frozenset()
        """Ids of the nodes that answered the last line differently from most."""

    @property
    def typed_at(self) -> tuple[Member, ...]:
        """Those that what is typed arrives at."""
        return tuple(member for member in self.members if member.typed_at)

    def type(self, key: str, character: str | None) -> bool:
        """A key for all of them, to each as its own modes want it; whether anybody got it."""
        return self._send(lambda session: keys.encode(key, character, session.engine.modes))

    def paste(self, text: str) -> bool:
        """A text for all of them, paced and bracketed for each; whether anybody got it."""
        there = self.typed_at
        if "\r" in text or "\n" in text:
            self._asked(there)
        taken = [member.session.paste(text) for member in there]
        return any(taken)

    def cancel_paste(self) -> None:
        """No more of the text that is being pasted."""
        for member in self.members:
            member.session.pasting.cancel()

    @property
    def pasting(self) -> bool:
        """Whether a text is still being typed."""
        return any(member.session.pasting.going for member in self.members)

    def choose(self, member: Member, chosen: bool) -> None:
        """Type at this one, too, or no more."""
        member.chosen = chosen
        self.changed.tell()

    def join_own(self) -> None:
        """Type beside oneself: a console that one has open elsewhere, in a tab say, is typed at too."""
        for member in self.members:
            session = member.session
            # In another mode it was asked for what it has.
            if session.state == "live" and not session.writing and session.mode == "write" and _own(session):
                session.join()

    def _send(self, encode: Callable[[ConsoleSession], bytes | None]) -> bool:
        there = self.typed_at
        sent = [(member, data) for member in there if (data := encode(member.session))]
        if any(data in _ENDS for _member, data in sent):
            # Before it is sent: the answer may come at once.
            self._asked(there)
        taken = [member.session.type(data) for member, data in sent]
        return any(taken)

    def _asked(self, there: Sequence[Member]) -> None:
        for member in self.members:
            member.asked = member in there
        for member in there:
            member.mark.set()
        self.differing = frozenset()
        self.changed.tell()

    # --- answers ---------------------------------------------------------------------------------

    def compare(self) -> None:
        """Find who differs, by what stands there now. Bounded: so many lines of so many terminals."""
        found = differing(self.answers())
        if found != self.differing:
            self.differing = found
            self.changed.tell()

    def answers(self) -> dict[str, Answer]:
        """What each that got the last line has answered by now; of those that can still answer."""
        names = [member.session.name for member in self.members]
        return {
            member.session.node: member.mark.answer(member.session.name, names)
            for member in self.members
            if member.asked and member.session.state == "live" and member.runs()
        }

    def usual(self) -> Answer | None:
        """What most answered."""
        return usual(self.answers())


def _own(session: ConsoleSession) -> bool:
    """Whether all who type there are the one who would."""
    people = session.people
    if people is None or people.me is None or not people.me.may_write:
        return False
    typing = [person.principal for person in people.others if person.writing]
    return bool(typing) and set(typing) == {people.me.principal}


def engine() -> BitttyEngine:
    """A terminal for one of them."""
    return BitttyEngine(*SIZE, scrollback=SCROLLBACK)
