"""`record.list` and `record.read`: which recordings a cluster has, and their bytes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from pilot import wire
from pilot.agent.aside import Aside
from pilot.agent.caller import Caller
from pilot.agent.gate import Asked
from pilot.agent.recordings import catalogue
from pilot.agent.recordings.catalogue import Kept
from pilot.agent.recordings.shelf import Shelf
from pilot.agent.shares import Shares
from pilot.errors import DeadlineError, RefusedError, StorageError

LOOK_SECONDS = 20.0
"""How long one look at the disk may take, those of others before it included."""
UNREAD_SECONDS = 30.0
"""After which one that nobody reads is not sent any further."""
_THREADS = 2
_RECORDINGS_PER_FRAME = 200
_AT_ONCE = 16 * wire.MAX_CONSOLE_CHUNK
"""Bytes of one look at the disk."""
T = TypeVar("T")


class _Sender(Protocol):
    def tell(self, frame: wire.ServerFrame) -> None: ...

    async def send(self, frame: wire.ServerFrame) -> None: ...


class RecordingStreams:
    """All who read recordings. Used from the event loop."""

    def __init__(self, shelf: Shelf, shares: Shares) -> None:
        """Nobody reads yet."""
        self._shelf = shelf
        self._shares = shares
        self._aside = Aside("recording-read", _THREADS)

    async def list(self, caller: Caller, asked: Asked, out: _Sender) -> None:
        """Send which there are, newest first.

        Raises:
            BusyError: too many read.
            RefusedError: the cluster is not the signer's any more.
            DeadlineError: it is not read.
        """
        with self._shares.take("log", caller.holder):
            out.tell(wire.Reply())
            found = [kept.recording for kept in self._shelf.visible(asked.cluster)]
            for start in range(0, max(len(found), 1), _RECORDINGS_PER_FRAME):
                _check(caller, asked)
                upto = start + _RECORDINGS_PER_FRAME
                await _send(out, wire.Recordings(tuple(found[start:upto]), upto < len(found)))

    async def read(self, caller: Caller, asked: Asked, out: _Sender) -> None:
        """Send one as it is on the disk now, up to where it is sealed.

        Raises:
            RefusedError: there is no such recording of the cluster, or that is not the signer's any more.
            StorageError: the file cannot be read, or is not as long as it was sealed.
            BusyError, DeadlineError: as for `list`.
        """
        kept = self._shelf.find(str(asked.args["id"]), asked.cluster)
        if kept is None:
            raise RefusedError(
                f"there is no recording '{wire.plain(str(asked.args['id']), 40)}' in {asked.cluster}",
                "`pilot record list` lists those there are.",
            )
        with self._shares.take("log", caller.holder):
            fd = await self._look(kept, partial(_open, catalogue.path_of(self._shelf.root, kept.id)))
            try:
                out.tell(wire.Reply())
                await _send(out, wire.Recordings((kept.recording,)))
                at, end = 0, kept.recording.size
                while at < end:
                    data = await self._look(kept, partial(os.pread, fd, min(_AT_ONCE, end - at), at))
                    if not data:
                        raise _damaged(kept, f"it ends at byte {at:,}, and {end:,} were sealed")
                    at += len(data)
                    for start in range(0, len(data), wire.MAX_CONSOLE_CHUNK):
                        self._check(caller, asked, kept)
                        await _send(out, wire.Output(data[start : start + wire.MAX_CONSOLE_CHUNK]))
            finally:
                os.close(fd)

    def _check(self, caller: Caller, asked: Asked, kept: Kept) -> None:
        """Whether what was read may be sent: nothing is awaited between this and that."""
        _check(caller, asked)
        if kept.tenant != self._shelf.tenant(asked.cluster):
            raise RefusedError(f"the recording {kept.id} is not of {asked.cluster} any more")

    async def _look(self, kept: Kept, what: Callable[[], T]) -> T:
        try:
            return await self._aside.call(what, LOOK_SECONDS)
        except TimeoutError:
            raise DeadlineError(
                f"the recording could not be read within {LOOK_SECONDS:g} s", "Ask again in a moment."
            ) from None
        except OSError as error:
            raise _damaged(kept, error.strerror or str(error)) from None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _check(caller: Caller, asked: Asked) -> None:
    if caller.role(asked.cluster) is None:
        raise RefusedError(f"your key is not entitled to {asked.cluster} any more", "Ask the site's admin.")


def _damaged(kept: Kept, why: str) -> StorageError:
    return StorageError(
        f"the file of the recording {kept.id} cannot be read: {why}",
        "Tell the site's admin: `pilot-agent journal verify` says what is wrong with recordings.",
    )


async def _send(out: _Sender, frame: wire.ServerFrame) -> None:
    try:
        async with asyncio.timeout(UNREAD_SECONDS):
            await out.send(frame)
    except TimeoutError:
        raise DeadlineError(f"the recordings were not read for {UNREAD_SECONDS:g} s", "Ask again.") from None
