"""Files of what is kept over restarts of airboss, written a while after it changed, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Kept(Generic[T]):
    """One such file, of JSON."""

    def __init__(self, path: Path | None, kind: Any, dump: Callable[[], T], pause: float) -> None:
        """Args:
        path: the file; None keeps nothing.
        kind: what is in it.
        dump: gives what is to be kept now.
        pause: seconds from a change until it is written.
        """
        self.path = path
        self._kind = kind
        self._dump = dump
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> T | None:
        """What was kept; None if that is nothing, or cannot be read."""
        path = self.path
        if path is None:
            return None
        try:
            found: T = msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=self._kind)
        except (OSError, msgspec.DecodeError):
            return None
        return found

    def changed(self) -> None:
        """It is to be written soon."""
        if self.path is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._write(), name="ec2-kept")

    async def stop(self) -> None:
        """Write what was to be written soon."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._save()

    async def _write(self) -> None:
        await asyncio.sleep(self._pause)
        await self._save()

    async def _save(self) -> None:
        path, data = self.path, msgspec.json.encode(self._dump())
        if path is not None:
            await asyncio.to_thread(_replace, path, data)


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        _log.warning("%s: %s", path, error.strerror)
