"""Blocking calls beside the event loop, few at a time, that hold up neither it nor the end of airboss."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """So many threads at most. They are daemons, since an executor's are joined at the end of the process."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._room = asyncio.Semaphore(threads)

    async def call(self, function: Callable[[], T], seconds: float) -> T:
        """What the function gives; what it raises is raised here.

        A call that is given up goes on by itself, and holds its thread until it ends.

        Raises:
            TimeoutError: it did not end in time, the wait for a thread included.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(found: Callable[[], None]) -> None:
            self._room.release()
            if not done.cancelled():
                found()

        def work() -> None:
            try:
                value = function()
                found: Callable[[], None] = lambda: done.set_result(value)  # noqa: E731
            except Exception as error:
                problem = error
                found = lambda: done.set_exception(problem)  # noqa: E731
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(settle, found)

        async with asyncio.timeout(seconds):
            await self._room.acquire()
            threading.Thread(target=work, name=self._name, daemon=True).start()
            return await done
