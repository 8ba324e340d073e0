"""Streams that outlive a connection: a watch and a console that come back by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from pilot import wire
from pilot.errors import DeadlineError, NoSuchNodeError, UnreachableError
from pilot.link.backoff import Backoff, Unknown
from pilot.link.console_stream import ConsoleStream
from pilot.link.faults import error_of
from pilot.link.link import Link
from pilot.link.watching import Also

Connect = Callable[[], Awaitable[Link]]


class Lost(msgspec.Struct, frozen=True):
    """The link is gone; what was shown is the last that is known."""

    why: str


class Back(msgspec.Struct, frozen=True):
    """The link is there again; what follows begins anew."""


async def watch(
    connect: Connect, link: Link, cluster: str, backoff: Backoff | None = None, also: Also = ""
) -> AsyncIterator[wire.Snapshot | wire.Delta | Lost | Back]:
    """A watch that reconnects. `link` is used first; after a loss `connect` makes new ones.

    Each comeback begins with a whole new snapshot.

    Raises:
        PilotError: what waiting does not mend: refused, no longer known, another host key.
    """
    backoff = backoff or Backoff()
    while True:
        try:
            async for frame in link.watch(cluster, also=also):
                backoff.reset()
                yield frame
        except (UnreachableError, DeadlineError) as error:
            why = error.message
        finally:
            await link.close()
        yield Lost(why)
        link = await again(connect, backoff)
        yield Back()


async def again(connect: Connect, backoff: Backoff) -> Link:
    """A new link, however long it takes.

    Raises:
        PilotError: as for `watch`.
    """
    while True:
        await asyncio.sleep(backoff.seconds())
        try:
            return await connect()
        except (UnreachableError, DeadlineError):
            continue


class ConsoleAgain:
    """A console that is opened anew when the link is lost."""

    def __init__(self, connect: Connect, link: Link, node: str, cluster: str) -> None:
        self._connect = connect
        self._node = node
        self._cluster = cluster
        self._backoff = Backoff()
        self.link = link
        self.stream: ConsoleStream | None = None

    async def open(self, mode: str, cols: int, rows: int) -> ConsoleStream:
        """Open it on the link at hand.

        Raises:
            PilotError: as for `Link.console`.
        """
        self.stream = await self.link.console(self._node, self._cluster, mode, cols, rows)
        return self.stream

    async def send_break(self) -> None:
        """Send the guest a serial break.

        Raises:
            PilotError: it was not sent.
        """
        reply = await self.link.call("send.break", self._cluster, (self._node,))
        for outcome in reply.outcomes:
            if outcome.fault is not None:
                raise error_of(outcome.fault)

    async def reopen(self, mode: str, cols: int, rows: int) -> ConsoleStream:
        """Connect and open it again, however long it takes.

        Raises:
            PilotError: what waiting does not mend.
        """
        await self.link.close()
        unknown = Unknown()
        while True:
            self.link = await again(self._connect, self._backoff)
            try:
                stream = await self.open(mode, cols, rows)
            except (UnreachableError, DeadlineError):
                await self.link.close()
                continue
            except NoSuchNodeError:
                if unknown.for_long:
                    raise
                await self.link.close()
                continue
            self._backoff.reset()
            return stream
