"""The last hour's samples on the disk: written whole, atomically, and read when airboss begins.

What lies between the last file and the new beginning was seen by nobody: it shows as a gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from pilot.agent import kept
from pilot.agent.aside import Aside
from pilot.agent.history import HOST, NIC, SAMPLES, History, Track
from pilot.backends.provider import HostUsed, Traffic
from pilot.wire.load_frames import UNKNOWN

_log = logging.getLogger(__name__)

NAME = "load"
EVERY_SECONDS = 60.0
_DISK_SECONDS = 30.0
_VERSION = 1


class _File(msgspec.Struct, frozen=True):
    """What is in the file: msgpack, deflated."""

    v: int
    time: float
    """When the newest sample was taken."""
    step: float
    hosts: dict[str, tuple[bytes, ...]]
    nics: dict[str, tuple[bytes, ...]]


class HistoryFile:
    """Keeps a history in a folder."""

    def __init__(self, folder: Path, history: History, clock: Callable[[], float]) -> None:
        self._path = folder / NAME
        self._history = history
        self._clock = clock
        self._aside = Aside("history", 1)
        self._trouble = ""

    async def load(self) -> None:
        """Take up what was kept. What cannot be read is logged, and begins anew."""
        try:
            data = await self._aside.call(lambda: kept.read(self._path), _DISK_SECONDS)
            found = None if data is None else msgspec.msgpack.decode(data, type=_File)
        except (OSError, ValueError, TimeoutError, zlib.error, msgspec.MsgspecError) as error:
            _log.warning("the history in %s cannot be read, and begins anew: %s", self._path, error)
            return
        if found is not None:
            restore(self._history, found, self._clock())

    async def run(self) -> None:
        """Write it every minute, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.save()

    async def save(self) -> None:
        """Write it. Trouble is logged, once."""
        history = self._history
        if not history.sample:
            return
        # Samples are immutable: the thread has those of now, whatever is taken meanwhile.
        file = _File(_VERSION, history.time, history.step, _lines(history, history.hosts),
                     _lines(history, history.nics))  # fmt: skip
        try:
            await self._aside.call(
                lambda: kept.write(self._path, msgspec.msgpack.encode(file)), _DISK_SECONDS
            )
        except (OSError, TimeoutError) as error:
            trouble = str(error) or "the disk does not answer"
            if trouble != self._trouble:
                _log.error("the history in %s is not kept: %s", self._path, trouble)
            self._trouble = trouble
        else:
            self._trouble = ""


def _lines(history: History, tracks: Mapping[str, Track]) -> dict[str, tuple[bytes, ...]]:
    found = {}
    for key, track in tracks.items():
        lines = track.upto(history.sample, SAMPLES)
        if any(line.strip(bytes((UNKNOWN,))) for line in lines):
            found[key] = lines
    return found


def restore(history: History, file: _File, now: float) -> None:
    """Put what was kept before what is to come, with a gap for the time between, one sample at least.

    A file of another form, of other steps, or older than what is kept is passed over.
    """
    if file.v != _VERSION or file.step != history.step or not math.isfinite(file.time):
        return
    gap = max(1, round((now - file.time) / file.step))
    # A clock that was set back by a little leaves no gap; a file from far ahead is nonsense.
    if gap >= SAMPLES or file.time - now >= SAMPLES * file.step:
        return
    sample = round(_loop_time() / history.step)
    history.sample = max(history.sample, sample)

    def track(lines: tuple[bytes, ...], count: int, nothing: HostUsed | Traffic) -> Track | None:
        if len(lines) != count or len({len(line) for line in lines}) != 1 or not lines[0]:
            return None
        pause = bytes((UNKNOWN,)) * gap
        return Track(history.sample, tuple((line + pause)[-SAMPLES:] for line in lines), nothing)

    for host, lines in file.hosts.items():
        if host not in history.hosts and (found := track(lines, HOST, HostUsed())) is not None:
            history.hosts[host] = found
    for nic, lines in file.nics.items():
        if nic not in history.nics and (found := track(lines, NIC, Traffic())) is not None:
            history.add_nic(nic, found)


def _loop_time() -> float:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop().time()
    return 0.0
