"""Whose turn it is on a wall that shows more than may be followed."""

from __future__ import annotations

from pilot.live.turns import FIRST_SECONDS, PATIENCE_SECONDS, TURN_SECONDS, Shown, Turns


class Place:
    """Ten of them, of which three may be followed; those that are followed show something at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.turns = Turns(3, lambda: self.now)
        self.shown: dict[str, Shown] = {}
        self.mute: set[str] = set()
        self.empty: set[str] = set()
        self.keys = [str(number) for number in range(10)]
        self.placed: frozenset[str] = frozenset()

    def pick(self, seconds: float = 0.0) -> str:
        """Who is followed, so much later; then they have been seen."""
        self.now += seconds
        self.placed = self.turns.pick(self.keys, lambda key: self.shown.get(key, Shown(None, False)))
        for key in self.placed - self.mute:
            self.shown[key] = Shown(self.now, key not in self.empty)
        return "".join(sorted(self.placed))


def test_all_are_seen_at_once_then_turns_are_long() -> None:
    place = Place()
    assert [place.pick(0.1) for _ in range(4)] == ["012", "345", "678", "789"]
    assert place.turns.waiting
    # Everybody was seen: those in place stay for a turn.
    assert place.pick(TURN_SECONDS / 2) == "789"
    seen = set(place.placed)
    for _ in range(40):
        place.pick(TURN_SECONDS / 8)
        seen |= place.placed
    assert seen == set(place.keys)
    oldest = min(shown.updated or 0.0 for shown in place.shown.values())
    assert place.now - oldest < 10 / 3 * TURN_SECONDS + TURN_SECONDS


def test_few_have_places_for_good() -> None:
    place = Place()
    place.keys = ["a", "b", "c"]
    assert place.pick() == place.pick(10 * TURN_SECONDS) == "abc"
    assert not place.turns.waiting
    place.keys = ["c", "d"]
    assert place.pick() == "cd"


def test_hurry_shows_all_anew() -> None:
    place = Place()
    for _ in range(6):
        place.pick(0.1)
    place.now += 0.1
    place.turns.hurry()
    since, seen = place.now, set[str]()
    for _ in range(5):
        place.pick(0.1)
        seen |= place.placed
    assert seen == set(place.keys)
    assert all((shown.updated or 0.0) > since for shown in place.shown.values())
    assert place.pick(TURN_SECONDS / 4) == place.pick(TURN_SECONDS / 4)


def test_who_says_nothing_keeps_nobody_waiting() -> None:
    place = Place()
    place.mute, place.empty = {"0"}, {"1"}
    place.pick()
    assert place.pick(0.1) == "013", "an empty picture, or none, may become one"
    assert place.pick(FIRST_SECONDS) == "045"
    for _ in range(4):
        place.pick(0.1)
    assert "0" in place.placed
    assert all(place.shown.get(key) for key in place.keys[1:])
    place.pick(PATIENCE_SECONDS)
    assert "0" not in place.placed
    place.pick(0.1)
    assert "0" not in place.placed, "it waits as long as all others"
