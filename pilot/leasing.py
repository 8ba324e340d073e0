"""Leases as people ask for them: the words that are typed, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from pilot.errors import UsageError
from pilot.moments import coming
from pilot.records import Lease, Node
from pilot.render.times import duration, local
from pilot.verbs import BY_ID, Value, Verb
from pilot.verbs.leases import LONGEST, warned_before
from pilot.wire import plain

WORDS = "19:00   8h   tomorrow 8:00   2026-11-24T08:00   renew   off"
"""What can be typed."""
_DAY, _HOUR, _MINUTE = 86_400, 3600, 60


def asked(when: str, now: float) -> tuple[Verb, dict[str, Value]]:
    """The verb that is meant, and what it is given.

    Raises:
        UsageError: it is no time to come.
    """
    when = when.strip()
    if when == "off":
        return BY_ID["lease.cancel"], {}
    if when == "renew":
        return BY_ID["lease.renew"], BY_ID["lease.renew"].arguments({})
    verb = BY_ID["lease.set"]
    ends, seconds = coming(when, now)
    if max(seconds, ends - now) > LONGEST:
        raise UsageError("a lease lasts a year at most")
    return verb, verb.arguments({"seconds": seconds} if seconds else {"ends": ends})


def parted(words: Sequence[str], now: float) -> tuple[list[str], str]:
    """Nodes, and the time at the end of what was typed; the time is empty if there is none."""
    for count in (2, 1):
        when = " ".join(words[-count:])
        if len(words) < count or (count == 2 and words[-2].lower() != "tomorrow"):
            continue
        try:
            asked(when, now)
        except UsageError:
            continue
        return list(words[:-count]), when
    return list(words), ""


def meaning(when: str, nodes: Sequence[Node], now: float) -> str:
    """What is meant by it, for people: `off at 19:00, in 3 h 12 min; warned 15 min before`.

    Raises:
        UsageError: it is no time to come, or there is no lease to renew.
    """
    verb, args = asked(when, now)
    if verb.id == "lease.cancel":
        return "no lease any more: turned off at no time"
    if verb.id == "lease.renew":
        leases = [node.lease for node in nodes if node.lease is not None]
        if not leases:
            raise UsageError("there is no lease to renew", "Give a time.")
        return "as long again as the lease was given for, from now on"
    ends = float(args["ends"]) or now + float(args["seconds"])
    return f"{off_at(ends, now)}; warned {duration(warned_before(ends - now))} before"


def off_at(ends: float, now: float) -> str:
    """When that is, and in how long: `off at 19:00, in 3 h 12 min`."""
    near = local(ends, "%Y-%m-%d") == local(now, "%Y-%m-%d")
    return f"off at {local(ends, '%H:%M' if near else '%a %Y-%m-%d %H:%M')}, in {left(ends - now)}"


def left(seconds: float) -> str:
    """A span in two units: `3 h 12 min`, `2 d 4 h`, `40 s`."""
    seconds = max(0, int(seconds))
    if seconds < _MINUTE:
        return f"{seconds} s"
    for size, unit, smaller, below in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {below}" if rest and size > _MINUTE else "")
    return ""


def words(lease: Lease, now: float) -> str:
    """What a lease says: `off at 19:00, in 3 h 12 min, given by ada`."""
    given = f"given by {plain(lease.principal, 80)}"
    if lease.ends <= now:
        return f"over since {local(lease.ends, '%H:%M')}, {given}: it is being turned off"
    return f"{off_at(lease.ends, now)}, {given}"
