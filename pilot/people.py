"""Who is at a console, as airboss said last; idle times go on counting by the clock at hand."""

from __future__ import annotations

import msgspec

from pilot import wire


class People(msgspec.Struct, frozen=True):
    """A Presence, and when it came."""

    presence: wire.Presence
    heard: float
    """When it came, on the clock that `now` is of below: airboss's may be another."""

    @property
    def me(self) -> wire.Person | None:
        """The one who is told."""
        return next((person for person in self.presence.people if person.id == self.presence.you), None)

    @property
    def others(self) -> tuple[wire.Person, ...]:
        """All but the one who is told, in the order they came."""
        return tuple(person for person in self.presence.people if person.id != self.presence.you)

    def find(self, person_id: int) -> wire.Person | None:
        """The one of that id, while it is attached."""
        return next((person for person in self.presence.people if person.id == person_id), None)

    def idle(self, person: wire.Person, now: float) -> float:
        """For how many seconds a person has typed nothing; since it came, if it never did."""
        return max(0.0, self._there(now) - max(person.typed, person.since))

    def attached(self, person: wire.Person, now: float) -> float:
        """For how many seconds a person has been attached."""
        return max(0.0, self._there(now) - person.since)

    def _there(self, now: float) -> float:
        """airboss's clock."""
        return self.presence.time + max(0.0, now - self.heard)


def who(presence: wire.Presence) -> str:
    """Who is at a console, in one line."""
    return "; ".join(_person(one, presence) for one in presence.people)


def _person(one: wire.Person, presence: wire.Presence) -> str:
    name = f"{one.principal} (you)" if one.id == presence.you else one.principal
    if not one.writing:
        return f"{name} watches"
    idle = round(presence.time - one.typed)
    return f"{name} types" + (f", idle for {idle} s" if one.typed and idle >= 5 else "")
