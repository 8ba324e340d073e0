"""Keys on their way to a guest: in order, bounded, and never for longer than a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pilot.backends.provider import Serial
from pilot.errors import PilotError
from pilot.wire import MAX_CLIENT_FRAME

COMFORTABLE = 32 * 1024
"""Bytes typed that the guest has not taken yet, above which who types is held back."""
MAX_PENDING = COMFORTABLE + MAX_CLIENT_FRAME
"""Above this they are dropped: several type and are not held back."""
DEADLINE = 10.0
"""Seconds the guest has to take what is typed."""
_AT_ONCE = 4096

_log = logging.getLogger(__name__)


class Typist:
    """Types at one console. `told` is given the reason whenever keys are dropped."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._serial: Serial | None = None
        self._pending = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._comfortable = asyncio.Event()
        self._comfortable.set()

    async def room(self) -> None:
        """Wait while the guest has much to take; DEADLINE at most, since then it is dropped."""
        await self._comfortable.wait()

    def connect(self, serial: Serial) -> None:
        """Type there from now on."""
        self.disconnect()
        self._serial = serial

    def disconnect(self) -> None:
        """There is nothing to type at; what was not typed yet is dropped."""
        self._serial = None
        self._pending.clear()
        self._comfortable.set()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def forget(self) -> None:
        """Drop what was not typed yet, and go on."""
        if (serial := self._serial) is not None:
            self.connect(serial)

    @property
    def connected(self) -> bool:
        """Whether there is something to type at."""
        return self._serial is not None

    def type(self, data: bytes) -> str:
        """Queue keys; why they are dropped, or nothing."""
        if len(self._pending) + len(data) > MAX_PENDING:
            return f"the guest does not read: {len(data):,} bytes typed were dropped"
        self._pending += data
        if len(self._pending) > COMFORTABLE:
            self._comfortable.clear()
        if self._task is None and self._serial is not None:
            self._task = asyncio.create_task(self._run(self._serial), name="console-typist")
        return ""

    async def _run(self, serial: Serial) -> None:
        try:
            while self._pending:
                data = bytes(self._pending[:_AT_ONCE])
                async with asyncio.timeout(DEADLINE):
                    await serial.write(data)
                del self._pending[: len(data)]
                if len(self._pending) <= COMFORTABLE:
                    self._comfortable.set()
        except TimeoutError:
            self._failed(f"the guest took nothing for {DEADLINE:g} s")
        except PilotError as error:
            self._failed(error.message)
        except Exception:
            _log.exception("typing at a console failed")
            self._failed("airboss made a mistake; its log says more")
        self._task = None

    def _failed(self, why: str) -> None:
        dropped = len(self._pending)
        self._pending.clear()
        self._comfortable.set()
        self._told(f"{dropped:,} bytes typed were dropped: {why}")
