"""A client's mirror of how busy hosts were in the last hour, and of what nodes' interfaces carried.

airboss leaves out what stayed as it was: samples are filled in when they are asked for. After a loss it tells
the whole past anew, with a gap for what it did not see itself; until then the last that was known stays.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from pilot.wire import HostLoad, Load, NicLoad

SAMPLES = 360
"""Kept of each; an hour of airboss's steps."""
UNKNOWN = 255
T = TypeVar("T", HostLoad, NicLoad)


@dataclass(slots=True)
class _Line(Generic[T]):
    """What is known of one thing."""

    newest: T
    end: int
    """Number of its newest sample."""
    run: int


class Loads:
    """The samples of hosts and interfaces."""

    def __init__(self) -> None:
        self.time: float | None = None
        """airboss's clock at the newest sample; None before there is any."""
        self.step = 0.0
        self._hosts: dict[str, _Line[HostLoad]] = {}
        self._nics: dict[str, _Line[NicLoad]] = {}
        self._end = 0
        self._run = 0

    def begin_anew(self) -> None:
        """A new snapshot: airboss tells the past anew."""
        self._run += 1

    def take(self, frame: Load) -> None:
        """Take samples in."""
        if self.time is None or frame.step != self.step or frame.time < self.time - frame.step:
            self._hosts.clear()
            self._nics.clear()
            self._end += SAMPLES
        elif frame.time > self.time and frame.step > 0:
            self._end += round((frame.time - self.time) / frame.step)
        self.time, self.step = frame.time, frame.step
        for host in frame.hosts:
            self._hosts[host.host] = self._enter(self._hosts.get(host.host), host)
        for nic in frame.nics:
            self._nics[nic.nic] = self._enter(self._nics.get(nic.nic), nic)

    def keep(self, ids: Container[str]) -> None:
        """Only the records with these ids are there."""
        for host in [host for host in self._hosts if f"host:{host}" not in ids]:
            del self._hosts[host]
        for nic in [nic for nic in self._nics if nic.rpartition("/")[0] not in ids]:
            del self._nics[nic]

    def host(self, name: str) -> HostLoad | None:
        """A host's samples up to the newest of all, SAMPLES at most; None if nothing is known of it."""
        line = self._hosts.get(name)
        return None if line is None else self._until(line, self._end)

    def nic(self, nic: str) -> NicLoad | None:
        """An interface's, likewise."""
        line = self._nics.get(nic)
        return None if line is None else self._until(line, self._end)

    def _enter(self, line: _Line[T] | None, told: T) -> _Line[T]:
        if line is None or line.run != self._run:
            return _Line(told, self._end, self._run)
        before = self._until(line, self._end - len(told.received))
        return _Line(_joined(before, told), self._end, self._run)

    def _until(self, line: _Line[T], end: int) -> T:
        """What was left out is as the sample before; of another run nobody knows it."""
        missing = end - line.end
        if missing == 0:
            return line.newest
        changes: dict[str, bytes] = {}
        for name in _lines(line.newest):
            data: bytes = getattr(line.newest, name)
            if missing < 0:
                data = data[: max(0, len(data) + missing)]
            else:
                last = data[-1:] if line.run == self._run and data else bytes((UNKNOWN,))
                data = (data + last * min(missing, SAMPLES))[-SAMPLES:]
            changes[name] = data
        return _replaced(line.newest, changes)


def _lines(load: HostLoad | NicLoad) -> tuple[str, ...]:
    """The fields that hold a byte a sample."""
    return (
        ("cpu", "memory", "load", "received", "sent") if isinstance(load, HostLoad) else ("received", "sent")
    )


def _joined(before: T, told: T) -> T:
    changes = {name: (getattr(before, name) + getattr(told, name))[-SAMPLES:] for name in _lines(told)}
    return _replaced(told, changes)


def _replaced(load: T, changes: dict[str, bytes]) -> T:
    new: T = msgspec.structs.replace(load, **changes)
    return new
