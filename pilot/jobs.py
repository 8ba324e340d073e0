"""HTCondor jobs on machines: which die with a machine, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pilot.records import Machine, Slot, Source

_NAMED = 3
"""Jobs that are named; of the others it is said how many they are."""


def doomed(machine: Machine) -> list[Slot]:
    """The slots whose jobs die if the machine goes now."""
    return [slot for slot in machine.slots if slot.job]


def empty(machine: Machine) -> bool:
    """Whether no job is there, nor can one come while it drains."""
    busy = any(slot.job or slot.state in ("Claimed", "Preempting") for slot in machine.slots)
    return machine.draining and not busy


def undrainable(machines: Iterable[Machine], sources: Iterable[Source]) -> str:
    """Why none of these machines can be drained, in a few words; empty if at least one of them can."""
    pools = {machine.pool for machine in machines}
    theirs = [s for s in sources if s.type in ("condor", "file") and s.name in pools]
    if not theirs or any(source.drains for source in theirs):
        return ""
    if theirs[0].type == "file":
        return "its pool is read from a file"
    return "airboss may not drain its pool"


def left(machines: Iterable[Machine]) -> str:
    """What machines that drain still wait for."""
    jobs = [slot for machine in machines for slot in doomed(machine)]
    return f"{job_words(jobs)} to end" if jobs else "no job runs there"


def would_die(slots: Sequence[Slot]) -> str:
    """Which jobs die if it is done all the same: the beginning of a sentence."""
    return f"{job_words(slots)} would die"


def job_words(slots: Sequence[Slot]) -> str:
    """How many jobs, and which some of them are."""
    named = [f"{slot.job} of {slot.owner}".removesuffix(" of ") for slot in slots[:_NAMED]]
    more = f" and {len(slots) - _NAMED} more" if len(slots) > _NAMED else ""
    count = "1 HTCondor job" if len(slots) == 1 else f"{len(slots)} HTCondor jobs"
    return f"{count} ({', '.join(named)}{more})"
