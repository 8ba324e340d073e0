"""The client's side of the wire: one authenticated connection to an airboss, and what is asked over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Literal, overload

import asyncssh

from keys.identity import Signer
from pilot import wire
from pilot.client_config import Site
from pilot.errors import IdentityError
from pilot.link import journal, log, paging, pictures, receipts, recordings, watching
from pilot.link.asking import CALL_SECONDS, Asking
from pilot.link.channel import open_channel
from pilot.link.console_stream import ConsoleStream
from pilot.link.dial import CONNECT_SECONDS, HELLO_SECONDS, Prompt, reach, say_hello
from pilot.link.faults import error_of
from pilot.link.recordings import RecordingStream, open_recording
from pilot.link.screen_stream import ScreenStream
from pilot.link.tail import Tail
from pilot.link.trust import KnownHosts
from pilot.verbs import BY_ID, Value

EVENTS_SILENCE_SECONDS = 20.0
"""Events come at least every few seconds, none of them if nothing happens."""


class Link(Asking):
    """An authenticated connection. Made by `Link.connect`; an async context manager."""

    @classmethod
    async def connect(
        cls,
        site: Site,
        signers: Sequence[Signer],
        known_hosts: KnownHosts,
        *,
        kept: receipts.Receipts | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        call_seconds: float = CALL_SECONDS,
        prompt: Prompt | None = None,
    ) -> Link:
        """Connect, make sure of the host key, authenticate, and say hello.

        Receipts are checked always, and kept in `kept`. `prompt` is what asks for the signers' passphrases.

        Raises:
            UnreachableError: nobody answers there in time, or no airboss.
            IdentityError: the host key is not the pinned one, or none of the keys is known there.
            WireError: it is not an airboss of our version.
        """
        if not signers:
            raise IdentityError("there is no key to show", "`pilot keys create` makes one.")
        connection, signer = await reach(site, signers, known_hosts, connect_seconds, prompt)
        try:
            hello = await say_hello(connection, signer)
        except BaseException:
            connection.abort()
            raise
        return cls(site, connection, signer, hello, kept, call_seconds)

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection. Takes a second at most."""
        self._connection.close()
        try:
            async with asyncio.timeout(1):
                await self._connection.wait_closed()
        except (TimeoutError, asyncssh.Error, OSError):
            self._connection.abort()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._connection.is_closed()

    # --- streams ---------------------------------------------------------------------------------

    @overload
    def watch(
        self, cluster: str = "", usage: Literal[False] = False, *, also: watching.Also = ""
    ) -> AsyncGenerator[wire.Snapshot | wire.Delta, None]: ...

    @overload
    def watch(
        self, cluster: str = "", *, usage: bool, load: watching.LoadOf = "", also: watching.Also = ""
    ) -> AsyncGenerator[watching.Watched, None]: ...

    @overload
    def watch(
        self, cluster: str = "", *, load: watching.LoadOf, also: watching.Also = ""
    ) -> AsyncGenerator[watching.Watched, None]: ...

    async def watch(
        self, cluster: str = "", usage: bool = False, load: watching.LoadOf = "", also: watching.Also = ""
    ) -> AsyncGenerator[watching.Watched, None]:
        """What is there, then every change; of all that may be seen if no cluster is named.

        With `usage`, what the nodes use too, and the answers to a ping every few seconds: the difference of
        a pong's token and `time.monotonic_ns()` is the way to airboss and back.

        With `also`, HTCondor's machines and queues, too.

        With `load`, how busy hosts were in the last hour and are, or all: what interfaces carry, too.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        args: dict[str, Value] = {"usage": True} if usage else {}
        if load:
            args["load"] = load
        if also:
            args["also"] = also
        body, request = await self._signed("watch", cluster, (), args)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            await self._reply("watch", body, channel, self._call_seconds, None)
            async with contextlib.aclosing(watching.frames(channel, usage)) as frames:
                async for frame in frames:
                    yield frame
        finally:
            channel.close()

    async def console(
        self,
        node: str,
        cluster: str,
        mode: str = "write",
        cols: int = 80,
        rows: int = 24,
        replay: int | None = None,
    ) -> ConsoleStream:
        """Open a node's serial console: `write`, `watch`, `join` who writes, or `take` the keyboard.

        `replay`: about how many bytes of what was printed before it begins with; as many as airboss shows if
        that is None.

        Raises:
            as for `call`.
        """
        given: dict[str, Value] = {"mode": mode} if replay is None else {"mode": mode, "replay": replay}
        args = BY_ID["console.open"].arguments(given)
        channel, attached, reply = await self._attach(
            "console.open", cluster, node, args, wire.Attached, cols, rows
        )
        return ConsoleStream(channel, attached, reply)

    async def screen(
        self, node: str, cluster: str, mode: str = "control", exclusive: bool = False
    ) -> ScreenStream:
        """Open a node's screen (VNC): `control` it, as far as the role lets us, or only `watch`.

        Raises:
            as for `call`.
        """
        args: dict[str, Value] = {"mode": mode, "exclusive": exclusive}
        channel, attached, reply = await self._attach("screen.open", cluster, node, args, wire.ScreenAttached)
        return ScreenStream(channel, attached, reply)

    async def picture(self, node: str, cluster: str) -> bytes:
        """A picture of what an EC2 instance's screen shows, as EC2 takes it: a JPEG.

        Raises:
            as for `call`.
        """
        body, request = await self._signed("screen.picture", cluster, (node,), {})
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            reply = await self._reply("screen.picture", body, channel, self._call_seconds, None)
            for outcome in reply.outcomes:
                if outcome.fault is not None:
                    raise error_of(outcome.fault)
            return await pictures.whole(channel)
        finally:
            channel.close()

    def tail(self, node: str, cluster: str) -> Tail:
        """The last that a node's serial console printed, and what follows, without attaching to it."""
        return Tail(lambda: self._open("console.tail", cluster, (node,)))

    async def log(
        self,
        node: str,
        cluster: str,
        *,
        last: int = 10_000,
        before: int = 0,
        since: float = 0.0,
        boot: bool = False,
        follow: bool = False,
    ) -> AsyncGenerator[wire.LogPage, None]:
        """Lines that a node's serial console printed, from airboss's log; oldest first.

        The newest `last` ones of those before the offset `before` (0 for any), printed since a moment (in
        seconds since the epoch), and since the last boot with `boot`; with `follow`, those that are printed
        from now on as well. A line may come in parts: only the last has its end.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        args: dict[str, Value] = {
            "last": last,
            "before": before,
            "since": since,
            "boot": boot,
            "follow": follow,
        }
        channel = await self._open("console.log", cluster, (node,), args)
        try:
            async with contextlib.aclosing(log.pages(channel, follow)) as pages:
                async for page in pages:
                    yield page
        finally:
            channel.close()

    async def journal(
        self, cluster: str, *, last: int = 500, before: int = 0, follow: bool = True, sealed: bool = False
    ) -> AsyncGenerator[wire.JournalPage, None]:
        """Records of the site's journal: what was asked of a cluster's nodes, by whom, and what came of it.

        The newest `last` ones with ids below `before` (0 for any), oldest first, and with `follow` those that
        are written from now on. `sealed`: with the places and hashes of all records in between. A site admin
        may leave `cluster` empty, for everything.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        args: dict[str, Value] = {"last": last, "before": before, "follow": follow, "sealed": sealed}
        channel = await self._open("journal.read", cluster, (), args)
        try:
            async with contextlib.aclosing(journal.pages(channel, follow)) as pages:
                async for page in pages:
                    yield page
        finally:
            channel.close()

    async def events(
        self, cluster: str, *, last: int = 500, follow: bool = True
    ) -> AsyncGenerator[wire.Happened, None]:
        """What happened, oldest first: the newest `last` ones, and with `follow` what happens from now on.

        With an empty `cluster`, all that the signer may know of.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        args: dict[str, Value] = {"last": last, "follow": follow}
        channel = await self._open("events.read", cluster, (), args)
        try:
            coming = paging.pages(channel, wire.Happened, "events' stream", EVENTS_SILENCE_SECONDS, follow)
            async with contextlib.aclosing(coming) as pages:
                async for page in pages:
                    yield page
        finally:
            channel.close()

    async def recordings(self, cluster: str) -> AsyncGenerator[wire.Recordings, None]:
        """The recordings of a cluster's consoles, newest first.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        channel = await self._open("record.list", cluster, ())
        try:
            async with contextlib.aclosing(recordings.pages(channel)) as pages:
                async for page in pages:
                    yield page
        finally:
            channel.close()

    async def recording(self, id: str, cluster: str) -> RecordingStream:
        """One of them, as a file; of one that goes on, what is sealed so far.

        Raises:
            as for `call`.
        """
        return await open_recording(await self._open("record.read", cluster, (), {"id": id}))
