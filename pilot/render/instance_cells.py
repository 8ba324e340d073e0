"""An EC2 instance as cells, for its tree and for `pilot instances`."""

from __future__ import annotations

from pilot.records import Instance, Price
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import ago, duration, local

_HOUR = 3600.0
_IDLE_SAID = 600.0
_STATES: dict[str, tuple[str, Tone]] = {
    "pending": ("◐", "busy"),
    "running": ("●", "good"),
    "stopping": ("◐", "busy"),
    "stopped": ("○", "dim"),
    "shutting-down": ("◐", "busy"),
    "terminated": ("✕", "dim"),
}


def state_cell(one: Instance) -> Cell:
    """EC2's word for its state; a status check that fails counts more."""
    if one.state == "running" and "impaired" in (one.system_check, one.instance_check):
        return Cell("▲ impaired", "bad")
    sign, tone = _STATES.get(one.state, ("?", "busy"))
    return Cell(f"{sign} {one.state}", tone)


def reason_cell(one: Instance) -> Cell:
    """Why it is in this state, in EC2's words, and what EC2 will do to it by itself."""
    said = [event.words or event.code for event in one.events]
    if one.state != "running" and (one.reason or one.reason_code):
        said.append(one.reason or one.reason_code)
    if one.state == "running" and "initializing" in (one.system_check, one.instance_check):
        said.append("checks are running")
    return Cell("; ".join(said), "busy" if one.events else "dim")


def address_cell(one: Instance) -> Cell:
    """Where it is reached from outside, or inside its VPC."""
    return Cell(one.public_address or one.private_address)


def age_cell(one: Instance, now: float) -> Cell:
    """Since when it runs."""
    return Cell(ago(one.launched, now) if one.state in ("pending", "running") else "", "dim")


def price_cell(one: Instance) -> Cell:
    """US dollars an hour, now."""
    if one.price is None:
        return Cell("")
    return Cell(f"{one.price.hour:.3f} $/h", "" if one.state == "running" else "dim")


def cost(one: Instance, now: float) -> float | None:
    """About what it has cost since it was started last, in US dollars; None where no price is known."""
    if one.price is None or one.state not in ("pending", "running"):
        return None
    return one.price.hour * max(0.0, now - one.launched) / _HOUR


def cost_cell(one: Instance, now: float) -> Cell:
    """About what it has cost since it was started last."""
    spent = cost(one, now)
    return Cell("" if spent is None else f"~{spent:.2f} $")


def price_words(price: Price) -> str:
    """Where a price comes from, and how old it is."""
    where = {"api": "price list", "table": "pilot's own price table", "spot": "spot price"}[price.source]
    return f"{price.hour:.4f} $/h, {where} of {local(price.dated, '%Y-%m-%d')}"


def idle_cell(one: Instance, now: float) -> Cell:
    """For how long its processors have done next to nothing."""
    if one.idle_since is None or one.state != "running" or now - one.idle_since < _IDLE_SAID:
        return Cell("")
    return Cell(f"idle {ago(one.idle_since, now)}", "busy")


def lease_cell(one: Instance, now: float) -> Cell:
    """When it goes off unless somebody renews that."""
    if one.lease is None:
        return Cell("")
    left = one.lease.ends - now
    if left <= 0:
        return Cell("lease is over", "busy")
    tone: Tone = "busy" if left < _HOUR else "dim"
    return Cell(f"off at {local(one.lease.ends, '%H:%M')} ({duration(left)})", tone)
