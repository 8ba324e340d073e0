"""How AWS's answers are read beside airboss's loop.

An instance of an answer costs AWS's library half a millisecond: long answers are read in a thread, short of
what they said the last time. What such a thread makes is hundreds of thousands of small things that form no
cycles, and soon are gone again: Python is kept from looking for garbage among them, and among the library's
descriptions of services, since that stops all threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Iterator
from typing import Any

from pilot.backends.ec2.again import AGAIN, Again

THREAD_BYTES = 16 * 1024
"""Answers longer than this are read in a thread."""

_lock = threading.Lock()
_readers = 0
_collected = True
_spared: set[str] = set()


def factory() -> Any:
    """What makes parsers for a session; AWS's library is imported here."""
    from aiobotocore.parsers import AioResponseParserFactory
    from botocore.parsers import PROTOCOL_PARSERS

    parsers: Any = PROTOCOL_PARSERS

    class Aside:
        """A parser that has long answers read in a thread."""

        def __init__(self, near: Any, far: Any) -> None:
            self._near = near
            self._far = far

        async def parse(self, response: Any, shape: Any) -> Any:
            body = response.get("body") or b""
            again = AGAIN.get()
            if response.get("status_code") != 200:
                again = None
            if len(body) > THREAD_BYTES:
                return await asyncio.to_thread(_read, self._far, response, shape, again)
            if again is not None:
                return _read(self._far, response, shape, again)
            return await self._near.parse(response, shape)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._near, name)

    class Factory(AioResponseParserFactory):  # type: ignore[misc, unused-ignore]
        def create_parser(self, protocol_name: str) -> Any:
            near: Any = super().create_parser(protocol_name)
            defaults: Any = vars(self)["_defaults"]
            return Aside(near, parsers[protocol_name](**defaults))

    return Factory()


def spare(what: str) -> None:
    """Never look for garbage among what there is by now: once for each name, since what is garbage stays."""
    with _lock:
        if what not in _spared:
            _spared.add(what)
            gc.freeze()


def _read(parser: Any, response: dict[str, Any], shape: Any, again: Again | None) -> Any:
    with no_garbage_rounds():
        if again is None:
            return parser.parse(response, shape)
        whole: Any = None
        for body in again.short(response.get("body") or b""):
            some = parser.parse({**response, "body": body}, shape)
            again.lean(some)
            if whole is None:
                whole = some
            else:
                whole[again.within] += some[again.within]
        return whole


@contextlib.contextmanager
def no_garbage_rounds() -> Iterator[None]:
    """Until the last of those who read is done."""
    global _readers, _collected
    with _lock:
        if not _readers:
            _collected = gc.isenabled()
            gc.disable()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers and _collected:
                gc.enable()
