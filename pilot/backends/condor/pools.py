"""Looks at one pool by turns, at a pace of its own: a pool that hangs delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from pilot.backends.condor import failing, frames
from pilot.backends.condor.failing import Failure
from pilot.backends.condor.process import PoolProcess
from pilot.backends.condor.settings import Bounds, PoolSettings
from pilot.backends.fault_words import fault_words
from pilot.backends.provider import Sink
from pilot.records import Source, SourceType

_log = logging.getLogger(__name__)


class PoolWatch:
    """One pool."""

    def __init__(
        self,
        settings: PoolSettings,
        bounds: Bounds,
        sink: Sink,
        clock: Callable[[], float],
        rng: Callable[[], float],
    ) -> None:
        self.settings = settings
        kind: SourceType = "file" if settings.file else "condor"
        self.source = Source(
            f"source:{kind}/{settings.name}", kind, settings.name, "connecting", clock(),
            pretended=settings.pretended or bool(settings.file),
            drains=bool(settings.admin_token or settings.drain_command),
        )  # fmt: skip
        self.slots = 0
        """At the last look."""
        self._bounds = bounds
        self._sink = sink
        self._clock = clock
        self._rng = rng
        self._process = PoolProcess(settings, bounds)
        self._known: set[str] = set()
        self._soon = asyncio.Event()

    @property
    def fault(self) -> str:
        """Why the pool does not answer; empty if it does."""
        return self.source.detail if self.source.state == "down" else ""

    @property
    def pid(self) -> int:
        """Of the process that asks it; 0 while there is none."""
        return self._process.pid

    def poke(self) -> None:
        """Look now."""
        self._soon.set()

    async def run(self) -> None:
        """Look for ever."""
        failures = 0
        try:
            while True:
                self._soon.clear()
                try:
                    await self._look()
                except Failure as failure:
                    fault = failure
                except Exception as error:  # a mistake here must not end the watch of a pool
                    _log.exception("pool %s", self.settings.name)
                    fault = Failure("other", f"airboss made a mistake: {error!r}")
                else:
                    failures = 0
                    await self._pause(self.settings.every)
                    continue
                failures += 1
                self._bad(fault)
                pause = self._bounds.backoff_first * 2 ** min(failures - 1, 10)
                await self._pause(min(self._bounds.backoff_last, pause))
        finally:
            await self._process.stop()

    async def _look(self) -> None:
        # The process itself gives up when the collector is silent for that long; a large pool's answer
        # may take longer as a whole.
        deadline = self.settings.deadline * self._bounds.whole + self._bounds.grace
        if not self._process.pid:
            deadline += self._bounds.start
        if self.settings.file:
            deadline += self._bounds.transfer
        fresh: set[str] | None = None
        answers = self._process.ask(frames.Ask(), deadline)
        async with contextlib.aclosing(answers):  # type: ignore[type-var]
            async for frame in answers:
                if isinstance(frame, frames.Answered):
                    fresh = set() if frame.full else None
                elif isinstance(frame, frames.Found):
                    ids = [record.id for record in frame.records]
                    self._known.update(ids)
                    if fresh is not None:
                        fresh.update(ids)
                    self._sink.extras(frame.records)
                elif isinstance(frame, frames.Gone):
                    self._gone(set(frame.ids))
                elif isinstance(frame, frames.Done):
                    if fresh is not None:
                        self._gone(self._known - fresh)
                    self._good(frame)
                await asyncio.sleep(0)  # others have their turn, however many slots there are

    def _gone(self, ids: set[str]) -> None:
        if ids:
            self._known -= ids
            self._sink.gone(ids)

    def _good(self, done: frames.Done) -> None:
        now, old = self._clock(), self.source
        self.slots = done.slots or self.slots
        words = f"{done.broken} of its ads cannot be understood" if done.broken else ""
        self._tell(
            msgspec.structs.replace(
                old, state="up", since=old.since if old.state == "up" else now, good=done.good or now,
                detail="", words=words,
            )
        )  # fmt: skip

    def _bad(self, fault: Failure) -> None:
        old, words = self.source, failing.WORDS[fault.reason]
        if old.state != "down" or old.detail != words:
            _log.warning("pool %s: %s (%s)", old.name, words, fault.said)
        self._tell(
            msgspec.structs.replace(
                old, state="down", since=old.since if old.state == "down" else self._clock(), detail=words,
                words=fault_words(words, fault.said, failing.HINTS[fault.reason]),
            )
        )  # fmt: skip

    def _tell(self, source: Source) -> None:
        self.source = source
        self._sink.extras([source])

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * (0.9 + 0.2 * self._rng())):
                await self._soon.wait()
