"""ClassAds of startds and submitters, as plain values, to records.

Ads come from whoever may advertise: any attribute may be missing, of another type, or nonsense. Names of
attributes are HTCondor's (its manual, "Machine ClassAd Attributes" and "Submitter ClassAd Attributes").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pilot.records import Machine, Queue, Slot

DYNAMIC_ATTRIBUTES = (
    "Name", "State", "Activity", "EnteredCurrentActivity", "Cpus", "Memory", "LoadAvg", "RemoteOwner",
    "RemoteScheddName", "JobId", "JobStart",
)  # fmt: skip
"""What is asked for of dynamic slots: each attribute costs the collector time, and there are many of them.
What their partitionable slot tells is true of them, too.
"""
SLOT_ATTRIBUTES = (
    *DYNAMIC_ATTRIBUTES, "Machine", "MyAddress", "SlotType", "LastHeardFrom", "MyCurrentTime",
    "TotalSlotCpus", "TotalSlotMemory", "TotalLoadAvg", "Draining", "DrainReason", "DrainingRequestId",
    "EC2InstanceID",
)  # fmt: skip
"""What is asked for of all other slots."""
QUEUE_ATTRIBUTES = ("Name", "ScheddName", "Machine", "IdleJobs", "RunningJobs", "HeldJobs")
"""What is asked for of submitters."""

Row = Mapping[str, object]
"""An ad's attributes that are plain values, as HTCondor spells them."""

_SPELLED = {name.lower(): name for name in (*SLOT_ATTRIBUTES, *QUEUE_ATTRIBUTES)}
_ADDRESS = re.compile(r"<(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):\d+")
_SLOT = re.compile(r"slot(\d{1,9})(?:_(\d{1,9}))?")
_NAME_LENGTH = 200
_REASON_LENGTH = 500
_MOST = 2**50
"""Of any count, KiB among them: what many slots together claim must fit in a frame's integers."""
_ACTIVITIES = ("Idle", "Suspended", "Vacating", "Killing", "Retiring", "Benchmarking", "Busy")
"""Those in which a machine without a partitionable slot does least first."""
CLOCK = 5.0
"""Clocks that differ by less, in seconds, are taken as the same: ads are on their way for some of it."""


def spelled(row: Row) -> dict[str, object]:
    """The row with names of attributes as HTCondor spells them: ClassAds do not mind their case."""
    return {_SPELLED.get(name.lower(), name): value for name, value in row.items()}


def machines(pool: str, rows: Iterable[Row], now: float) -> list[Machine]:
    """The machines that slots' ads are of.

    Args:
        pool: its name.
        rows: ads of slots, in any order.
        now: the time here, in seconds since the epoch.
    """
    startds: dict[str, dict[str, list[Row]]] = {}
    parts: list[tuple[str, Row]] = []
    latest = 0.0
    for row in rows:
        name = startd_name(row)
        if not name:
            continue
        latest = max(latest, _number(row, "LastHeardFrom"))
        if "MyAddress" not in row and row.get("SlotType") == "Dynamic":
            parts.append((name, row))
        else:
            startds.setdefault(name, {}).setdefault(ip_address(row), []).append(row)
    for name, row in parts:
        places = startds.setdefault(name, {})
        places.setdefault(next(iter(places), ""), []).append(row)
    # The collector has heard nothing later than its own now: that much, at least, its clock is ahead.
    ahead = _skew(latest - now) if latest > now else 0.0
    out: list[Machine] = []
    for name, places in startds.items():
        for address, slots in places.items():
            shown = name if len(places) == 1 else f"{name} [{address or '?'}]"
            out.append(_machine(pool, shown, address, slots, ahead, now))
    return out


def ambiguous(rows: Iterable[Row]) -> bool:
    """Whether startds of one name are at two addresses."""
    places: dict[str, str] = {}
    return any(places.setdefault(startd_name(row), address := ip_address(row)) != address for row in rows)


def queues(pool: str, rows: Iterable[Row]) -> list[Queue]:
    """The queues that submitters' ads are of, each with at least one job."""
    out: dict[str, Queue] = {}
    for row in rows:
        owner = text(row, "Name").partition("@")[0]
        schedd = text(row, "ScheddName") or text(row, "Machine")
        counts = [max(0, int(_number(row, key))) for key in ("IdleJobs", "RunningJobs", "HeldJobs")]
        if not owner or not schedd or not any(counts):
            continue
        record_id = f"queue:{pool}/{schedd}/{owner}"
        if (same := out.get(record_id)) is not None:  # users of one name in several domains
            counts = [a + b for a, b in zip(counts, (same.idle, same.running, same.held), strict=True)]
        out[record_id] = Queue(record_id, pool, schedd, owner, *(min(_MOST, one) for one in counts))
    return list(out.values())


def startd_name(row: Row) -> str:
    """What a slot's startd is called: the machine's name, or with a name of its own before it."""
    name = text(row, "Name")
    return name.partition("@")[2] or text(row, "Machine") or name


def ip_address(row: Row) -> str:
    """The startd's IP address; empty if the ad tells none."""
    match = _ADDRESS.match(text(row, "MyAddress", 2000))
    return (match[1] or match[2]) if match else ""


def text(row: Row, key: str, limit: int = _NAME_LENGTH) -> str:
    """A string of the ad, without what a terminal would take for more than text; empty for anything else."""
    value = row.get(key)
    if type(value) is not str:
        return ""
    if len(value) > limit:
        value = value[:limit]
    if value[:6] == "/Expr(":
        return ""
    return value if value.isprintable() else "".join(c if c.isprintable() else "?" for c in value)


def _number(row: Row, key: str) -> float:
    """A number that is not negative; 0 for anything else."""
    value = row.get(key)
    if type(value) is int or type(value) is float:
        return float(value) if 0 <= value < 1e15 else 0.0
    return 0.0


def _kib(mib: float) -> int:
    return min(_MOST, int(mib) * 1024)


def _skew(seconds: float) -> float:
    """By how much a clock differs, coarsely: a difference that wavers must not make all records new."""
    return 0.0 if abs(seconds) < CLOCK else round(seconds / CLOCK) * CLOCK


def _machine(pool: str, name: str, address: str, rows: list[Row], ahead: float, now: float) -> Machine:
    seen = state = activity = ""
    cpus = free_cpus = memory = free_memory = load = heard = 0.0
    slots: list[Slot] = []
    draining, reason, request, instance = False, "", "", ""
    most = -1
    clock = next((found for row in rows if (found := _clock(row, ahead))), (-ahead, now))
    for row in rows:
        kind, slot_cpus, slot_memory = row.get("SlotType"), _number(row, "Cpus"), _number(row, "Memory")
        heard = max(heard, _number(row, "LastHeardFrom"))
        load = max(load, _number(row, "TotalLoadAvg"))
        own_state, own_activity = text(row, "State"), text(row, "Activity")
        if row.get("Draining") is True:
            draining = True
            reason = text(row, "DrainReason", _REASON_LENGTH) or reason
            request = text(row, "DrainingRequestId") or request
        instance = text(row, "EC2InstanceID") or instance
        if kind == "Partitionable":
            cpus += _number(row, "TotalSlotCpus") or slot_cpus
            memory += _number(row, "TotalSlotMemory") or slot_memory
            free_cpus, free_memory = free_cpus + slot_cpus, free_memory + slot_memory
            if seen != "partitionable" or own_activity != "Idle":
                seen, state, activity = "partitionable", own_state, own_activity
            continue
        if kind != "Dynamic":
            cpus, memory = cpus + slot_cpus, memory + slot_memory
            if own_state == "Unclaimed":
                free_cpus, free_memory = free_cpus + slot_cpus, free_memory + slot_memory
        rank = _ACTIVITIES.index(own_activity) if own_activity in _ACTIVITIES else 0
        if not seen and rank > most:
            most, state, activity = rank, own_state, own_activity
        slots.append(_slot(row, own_state, own_activity, slot_cpus, slot_memory, _clock(row, ahead) or clock))
    slots.sort(key=_order)
    return Machine(
        f"machine:{pool}/{name}", pool, name, state or "?", activity or "?", address,
        instance=instance, cpus=cpus, memory=_kib(memory), free_cpus=free_cpus,
        free_memory=_kib(free_memory), load=round(load, 2), slots=tuple(slots),
        draining=draining, drain_reason=reason, drain_id=request,
        seen=min(now, heard - ahead) if heard else 0.0,
    )  # fmt: skip


def _order(slot: Slot) -> tuple[int, int, str]:
    match = _SLOT.fullmatch(slot.name)
    return (int(match[1]), int(match[2] or 0), "") if match else (0, 0, slot.name)


def _slot(
    row: Row, state: str, activity: str, cpus: float, memory: float, clock: tuple[float, float]
) -> Slot:
    shift, latest = clock
    job, owner, since = text(row, "JobId"), "", 0.0
    if job:
        owner = text(row, "RemoteOwner").partition("@")[0]
        schedd = text(row, "RemoteScheddName").rpartition("@")[2]
        owner = f"{owner}@{schedd}" if schedd else owner
        since = _time(row, "JobStart", shift, latest)
    return Slot(
        text(row, "Name").partition("@")[0] or "?", state or "?", activity or "?",
        _time(row, "EnteredCurrentActivity", shift, latest), owner, job, since, cpus, _kib(memory),
        round(_number(row, "LoadAvg"), 2),
    )  # fmt: skip


def _clock(row: Row, ahead: float) -> tuple[float, float] | None:
    """What makes the ad's times ours, and when the ad is of: its times are by the startd's clock, and it says
    what that was when the collector heard it. None if it does not."""
    heard = _number(row, "LastHeardFrom")
    if not heard:
        return None
    told = _number(row, "MyCurrentTime")
    return (_skew(heard - told) if told else 0.0) - ahead, heard - ahead


def _time(row: Row, key: str, shift: float, latest: float) -> float:
    """A time by our own clock, never after the ad itself; 0 if it is not known."""
    told = _number(row, key)
    return max(0.0, min(told + shift, latest)) if told else 0.0
