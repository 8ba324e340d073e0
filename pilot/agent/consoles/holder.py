"""Holds a node's serial console for as long as that is wanted, and gets it back when it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from pilot.backends.provider import Serial
from pilot.errors import PilotError

OPEN_DEADLINE = 30.0
"""Seconds for one try to open it; providers have shorter deadlines of their own."""
CLOSE_DEADLINE = 5.0
SETTLE = 0.4
"""Seconds between a loss and the first try after it: most losses are a power-off that is told soon."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0

_log = logging.getLogger(__name__)

Open = Callable[[Callable[[bytes], None], Callable[[str], None]], Awaitable[Serial]]


class Listener(Protocol):
    """What is told of the console."""

    def held(self, serial: Serial) -> None:
        """It is held; what it prints comes from now on."""

    def printed(self, data: bytes) -> None:
        """The guest printed something."""

    def lost(self, why: str) -> None:
        """It was held, and ended by itself."""

    def not_held(self, why: str) -> None:
        """A try to open it failed; there will be another."""


class _Session:
    """One time of being held. What comes after its end is not heard."""

    def __init__(self, listener: Listener) -> None:
        self.over = asyncio.Event()
        self.why = ""
        self.received = 0
        self.since = asyncio.get_running_loop().time()
        self._listener = listener
        self._early: list[bytes] | None = []

    def output(self, data: bytes) -> None:
        if self.over.is_set() or not data:
            return
        self.received += len(data)
        if self._early is not None:
            self._early.append(data)
        else:
            self._listener.printed(data)

    def lost(self, why: str) -> None:
        self.why = self.why or why or "it ended"
        self.over.set()

    def begin(self, serial: Serial) -> None:
        """Tell that it is held, then what it printed while it was being opened."""
        early, self._early = self._early or [], None
        self._listener.held(serial)
        for data in early:
            self._listener.printed(data)


class Holder:
    """Opens, holds, re-opens. One task while it is wanted."""

    def __init__(self, open_console: Open, listener: Listener, chance: random.Random) -> None:
        """Nothing is opened yet.

        Args:
            open_console: given where output and loss are told, opens the console or raises PilotError.
            listener: told of it.
            chance: for the jitter between tries.
        """
        self._open = open_console
        self._listener = listener
        self._chance = chance
        self._wanted = False
        self._session: _Session | None = None
        self._held = asyncio.Event()
        self._poke = asyncio.Event()
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._abandoned: set[asyncio.Task[None]] = set()

    @property
    def untouched(self) -> bool:
        """Whether it is held since a moment ago and nothing was printed."""
        session = self._session
        return (
            session is not None
            and session.received == 0
            and asyncio.get_running_loop().time() - session.since < 5.0
        )

    @property
    def is_held(self) -> bool:
        """Whether it is held now."""
        return self._session is not None

    def want(self) -> None:
        """Hold it from now on; tries at once."""
        self._wanted = True
        self._poke.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(self._turn), name="console-holder")

    def nudge(self) -> None:
        """Try now, if it is wanted and not held."""
        self._poke.set()

    def pause(self) -> None:
        """Keep it if it is held, but do not try to get it back."""
        self._wanted = False
        self._poke.set()

    async def wait_held(self) -> None:
        """Returns when it is held; the caller sets the deadline."""
        await self._held.wait()

    async def release(self, grace: float) -> None:
        """Let it go, once it has ended by itself or the grace (seconds) is over: last words are not lost."""
        self.pause()
        session, task = self._session, self._task
        if session is not None:
            try:
                async with asyncio.timeout(grace):
                    await session.over.wait()
            except TimeoutError:
                session.lost("")
        if task is not None:
            await asyncio.wait([task], timeout=CLOSE_DEADLINE if session is not None else grace)
            if task is self._task:
                # A try to open it hangs. It is left to itself: should it succeed, it lets go at once.
                self._abandoned.add(task)
                task.add_done_callback(self._abandoned.discard)
                self._turn += 1
                self._task = None

    async def stop(self) -> None:
        """Let it go at once, for good."""
        self.pause()
        tasks = [*self._abandoned, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, turn: int) -> None:
        failures = 0
        while self._wanted and turn == self._turn:
            self._poke.clear()
            session = _Session(self._listener)
            serial = await self._try(session)
            if turn != self._turn or not self._wanted:
                session.lost("")
                if serial is not None:
                    await _close(serial)
            elif serial is None:
                failures += 1
                self._listener.not_held(session.why)
                await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10)))
            else:
                failures = 0
                await self._hold(session, serial)
                self._poke.clear()
                await self._pause(SETTLE if self._wanted else 0)
        if turn == self._turn:
            self._task = None

    async def _try(self, session: _Session) -> Serial | None:
        why = f"no answer within {OPEN_DEADLINE:g} s"
        try:
            async with asyncio.timeout(OPEN_DEADLINE):
                return await self._open(session.output, session.lost)
        except TimeoutError:
            pass
        except PilotError as error:
            why = error.message
        except Exception:
            _log.exception("a console cannot be opened")
            why = "airboss made a mistake; its log says more"
        session.lost(why)
        return None

    async def _hold(self, session: _Session, serial: Serial) -> None:
        self._session = session
        try:
            session.begin(serial)
            self._held.set()
            await session.over.wait()
        finally:
            self._held.clear()
            self._session = None
            session.lost("")
            await _close(serial)
        self._listener.lost(session.why)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds * self._chance.uniform(0.75, 1.25)):
                await self._poke.wait()
        except TimeoutError:
            pass


async def _close(serial: Serial) -> None:
    try:
        async with asyncio.timeout(CLOSE_DEADLINE):
            await serial.close()
    except (PilotError, TimeoutError) as error:
        _log.warning("a console was not let go in order: %s", error)
