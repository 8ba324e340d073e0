"""HTCondor's machines, slots and queues as cells, for their tree and for `pilot slots`."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import Machine, Queue, Slot
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import ago

_OLD_SECONDS = 900.0
"""HTCondor's startds tell of themselves every 5 minutes; the collector forgets them after 15."""
_GIB = 1024 * 1024
"""KiB."""
_STATES: dict[str, tuple[str, Tone]] = {
    "Claimed": ("●", "good"),
    "Unclaimed": ("○", "dim"),
    "Owner": ("⊘", "busy"),
    "Drained": ("⊘", "busy"),
    "Preempting": ("◐", "busy"),
    "Matched": ("◐", "busy"),
    "Backfill": ("●", "good"),
}


def state_cell(state: str, activity: str) -> Cell:
    """HTCondor's own two words."""
    sign, tone = _STATES.get(state, ("?", "busy"))
    return Cell(f"{sign} {state}/{activity}" if activity else f"{sign} {state}", tone)


def machine_state(machine: Machine, now: float) -> Cell:
    """A machine's; one that drains says so, one that is not heard of says since when."""
    if machine.seen and now - machine.seen > _OLD_SECONDS:
        return Cell(f"? last heard {ago(machine.seen, now)} ago", "busy")
    if machine.draining:
        jobs = len(busy(machine))
        left = f", {jobs} job{'s' if jobs != 1 else ''} left" if jobs else ""
        return Cell(f"◐ draining{left}", "busy")
    return state_cell(machine.state, machine.activity)


def busy(machine: Machine) -> list[Slot]:
    """Its slots with a job: what would die if it went off now."""
    return [slot for slot in machine.slots if slot.job or slot.activity == "Busy"]


def jobs_cell(machine: Machine) -> Cell:
    """How many of its slots have a job."""
    return busy_cell(len(busy(machine)))


def busy_cell(count: int) -> Cell:
    """So many slots have a job."""
    return Cell(f"{count} busy" if count else "", "" if count else "dim")


def processors_cell(machine: Machine) -> Cell:
    """Processors that slots have, of all."""
    return Cell(f"{machine.cpus - machine.free_cpus:g} of {machine.cpus:g}" if machine.cpus else "")


def memory_cell(machine: Machine) -> Cell:
    """Memory that slots have, of all."""
    if not machine.memory:
        return Cell("")
    used = machine.memory - machine.free_memory
    return Cell(f"{used / _GIB:.1f} of {machine.memory / _GIB:.1f} G")


def load_cell(load: float) -> Cell:
    """Load average, as the startd tells it."""
    return Cell(f"{load:.2f}" if load else "", "dim")


def slot_memory_cell(slot: Slot) -> Cell:
    """What a slot has."""
    return Cell(f"{slot.memory / _GIB:.1f} G" if slot.memory else "")


def job_cell(slot: Slot, now: float) -> Cell:
    """Whose job it runs, and for how long."""
    if not slot.job and not slot.owner:
        return Cell("")
    ran = f" {ago(slot.job_since, now)}" if slot.job_since else ""
    return Cell(f"{slot.owner} {slot.job}{ran}".strip())


def short_job_cell(slot: Slot, now: float) -> Cell:
    """The same without the schedd, the job first."""
    if not slot.job and not slot.owner:
        return Cell("")
    ran = ago(slot.job_since, now) if slot.job_since else ""
    return Cell("  ".join(word for word in (slot.job, slot.owner.partition("@")[0], ran) if word))


def about_cell(machine: Machine, now: float) -> Cell:
    """Where it is, and when its pool heard of it."""
    heard = f"heard of {ago(machine.seen, now)} ago" if machine.seen else ""
    said = (machine.address, machine.instance, heard, machine.drain_reason)
    return Cell(" · ".join(word for word in said if word), "dim")


def machine_words(machine: Machine) -> Cell:
    """Why it drains; that airboss knows no node for it."""
    if machine.draining and machine.drain_reason:
        return Cell(machine.drain_reason, "busy")
    return Cell(machine.address if machine.node else f"{machine.address} no node of the site".strip(), "dim")


def queue_cell(queues: Iterable[Queue]) -> Cell:
    """How many jobs wait, run, and are held."""
    found = list(queues)
    idle, running, held = (
        sum(getattr(queue, name) for queue in found) for name in ("idle", "running", "held")
    )
    return Cell(f"{running} running, {idle} idle, {held} held", "busy" if held else "")
