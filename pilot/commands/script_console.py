"""A node's console for a script: what it prints from a moment on, and typing, on one link after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING

from pilot import wire
from pilot.errors import DeadlineError, NoSuchNodeError, PilotError, RefusedError, UnreachableError
from pilot.link.backoff import Backoff, Unknown
from pilot.live.overlap import Overlap

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream
    from pilot.link.link import Link

_ALL_LINES = 1_000_000
_REPLAY = 1024 * 1024
"""Bytes of what was printed before that are looked at after a loss, for what was printed meanwhile."""


class ScriptConsole:
    """`async with ScriptConsole(…) as console`. The caller has the deadline, and closes `link`."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Link]],
        link: Link,
        node: str,
        cluster: str,
        *,
        mode: str | None,
        since_boot: bool,
        lost: Callable[[str], None],
    ) -> None:
        """Nothing is opened yet.

        Args:
            connect: makes a new link once this one is lost.
            link: the one at hand.
            node: as the user named it.
            cluster: whose it is.
            mode: how the console is opened; None if the log is enough.
            since_boot: what it printed since it was turned on is read, too.
            lost: told why the link was lost, before it is tried again.
        """
        self.link = link
        self.stream: ConsoleStream | None = None
        self._connect = connect
        self._node = node
        self._cluster = cluster
        self._mode = mode
        self._since_boot = since_boot
        self._lost = lost
        self._backoff = Backoff()
        self._overlap = Overlap()
        self._before = True
        """What is replayed was printed before anybody waited for it."""
        self._upto = 0
        """In the log, where what has not been read begins."""
        self._unknown: Unknown | None = None
        self._dropping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ScriptConsole:
        await self._open(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def type(self, text: str) -> None:
        """Type, after a loss on a new link. What was typed right before a loss may not have arrived.

        Raises:
            RefusedError: somebody else has the keyboard.
            PilotError: waiting does not mend it.
        """
        if self.link.closed:
            await self._again(UnreachableError("the connection was lost"))
        stream = self.stream
        assert stream is not None
        if not stream.writing:
            raise RefusedError(
                f"{stream.attached.writer or 'somebody else'} types at {stream.attached.name}",
                "--take takes the keyboard.",
            )
        stream.type(text.encode())
        await stream.drain()

    async def printed(self) -> AsyncGenerator[bytes, None]:
        """What is printed, nothing of it twice; never ends by itself.

        Raises:
            PilotError: waiting does not mend it.
        """
        while True:
            link, why = self.link, PilotError("the console has ended")
            try:
                async with aclosing(self._logged() if self._since_boot else self._streamed()) as chunks:
                    async for data in chunks:
                        self._backoff.reset()
                        self._unknown = None
                        yield data
            except (UnreachableError, DeadlineError) as error:
                why = error
            except NoSuchNodeError as error:
                if self._unknown is None or self._unknown.for_long:
                    raise
                why = error
            if link is self.link:
                await self._again(why)

    # --- links -----------------------------------------------------------------------------------

    async def _open(self, replay: int) -> None:
        if self._mode is None:
            return
        self.stream = await self.link.console(self._node, self._cluster, self._mode, replay=replay)
        if self._mode == "take":
            self._mode = "write"  # whoever takes it back keeps it
        if self._since_boot:
            # What is printed is read from the log.
            self._dropping = asyncio.create_task(_drop(self.stream))

    def _leave(self) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
        if self.stream is not None:
            self.stream.close()

    async def _again(self, why: PilotError) -> None:
        """Connect and open it again, however long it takes.

        Raises:
            PilotError: waiting does not mend it.
        """
        from pilot.link.reconnect import again

        self._lost(why.message)
        self._before = False
        self._unknown = self._unknown or Unknown()
        while True:
            self._leave()
            await self.link.close()
            self.link = await again(self._connect, self._backoff)
            try:
                await self._open(_REPLAY)
            except (UnreachableError, DeadlineError):
                continue
            except NoSuchNodeError:
                # An airboss that has just started has not heard of all its hosts.
                if self._unknown.for_long:
                    raise
                continue
            return

    # --- what is printed -------------------------------------------------------------------------

    async def _streamed(self) -> AsyncGenerator[bytes, None]:
        stream = self.stream
        assert stream is not None
        self._overlap.begin(stream.attached.replay)
        async for frame in stream:
            if isinstance(frame, wire.Output):
                before, live = self._overlap.take(frame.data)
                if data := live if self._before else before + live:
                    yield data
            elif isinstance(frame, wire.Notice) and frame.final:
                if frame.what == "limit":
                    raise PilotError(f"the console has ended: {wire.plain(frame.text)}")
                raise UnreachableError(f"the console has ended: {wire.plain(frame.text)}")

    async def _logged(self) -> AsyncGenerator[bytes, None]:
        boot = self._before
        pages = self.link.log(self._node, self._cluster, last=_ALL_LINES, boot=boot, follow=True)
        async with aclosing(pages):
            async for page in pages:
                for line in page.lines:
                    if data := line.data[max(0, self._upto - line.offset) :]:
                        self._upto = line.offset + len(line.data)
                        yield data


async def _drop(stream: ConsoleStream) -> None:
    """What is printed is read elsewhere; so is the end."""
    try:
        async for _ in stream:
            pass
    except PilotError:
        return
