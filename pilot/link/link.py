"""The client's side of the wire: one authenticated connection to an airboss, and what is asked over it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Literal, overload

import asyncssh

from keys import sshsig
from keys.errors import KeysError
from keys.identity import Signer
from pilot import wire
from pilot.client_config import Site
from pilot.errors import IdentityError, UnreachableError, UsageError, WireError
from pilot.link import journal, log, receipts, watching
from pilot.link.channel import Channel, open_channel
from pilot.link.console_stream import ConsoleStream
from pilot.link.dial import CONNECT_SECONDS, HELLO_SECONDS, Prompt, identity_error, reach, say_hello
from pilot.link.faults import error_of
from pilot.link.screen_stream import ScreenStream
from pilot.link.tail import Tail
from pilot.link.trust import KnownHosts
from pilot.records import AnyRecord, Grant
from pilot.verbs import BY_ID, Value

CALL_SECONDS = 30.0

_LONGEST_BODY = wire.MAX_CLIENT_FRAME - 8 * 1024
"""Bytes; what is left of a frame is for the signature, and a certificate in it."""

OnProgress = Callable[[wire.Progress], None]


class Link:
    """An authenticated connection. Made by `Link.connect`; an async context manager."""

    def __init__(
        self,
        site: Site,
        connection: asyncssh.SSHClientConnection,
        signer: Signer,
        hello: wire.Hello,
        kept: receipts.Receipts | None,
        call_seconds: float,
    ) -> None:
        self.site = site
        self.hello = hello
        self.signer = signer
        self._connection = connection
        self._receipts = kept
        self._call_seconds = call_seconds
        self._seq = 0

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

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What the signer may do at this site."""
        return self.hello.grants

    async def refresh(self) -> wire.Hello:
        """Ask anew who we are to airboss: grants change while a connection lives.

        Raises:
            UnreachableError: the connection was lost.
        """
        self.hello = await say_hello(self._connection, self.signer)
        return self.hello

    # --- requests --------------------------------------------------------------------------------

    async def call(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str] = (),
        args: Mapping[str, Value] | None = None,
        on_progress: OnProgress | None = None,
        deadline: float | None = None,
    ) -> wire.Reply:
        """Ask for a verb and wait for its reply; for journaled verbs the receipt is checked and kept.

        The deadline is in seconds: by default what the link was made with, and the verb's own grace on top.

        Raises:
            RefusedError, UsageError, …: airboss refused the request as a whole.
            DeadlineError: no reply in time, what came of it is not known.
            UnreachableError: the connection was lost.
            IdentityError: the receipt is wrong.
        """
        given = BY_ID[verb].arguments(dict(args or {}))
        grace = given.get("grace", 0.0)
        seconds = (deadline or self._call_seconds) + (float(grace) if "grace" in given else 0.0)
        body, request = await self._signed(verb, cluster, targets, given)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            return await self._reply(verb, body, channel, seconds, on_progress)
        finally:
            channel.close()

    @overload
    def watch(
        self, cluster: str = "", usage: Literal[False] = False
    ) -> AsyncGenerator[wire.Snapshot | wire.Delta, None]: ...

    @overload
    def watch(self, cluster: str = "", *, usage: bool) -> AsyncGenerator[watching.Watched, None]: ...

    async def watch(self, cluster: str = "", usage: bool = False) -> AsyncGenerator[watching.Watched, None]:
        """What is there, then every change; of all that may be seen if no cluster is named.

        With `usage`, what the nodes use too, and the answers to a ping every few seconds: the difference of
        a pong's token and `time.monotonic_ns()` is the way to airboss and back.

        Raises:
            UnreachableError: the connection was lost. The rest as for `call`.
        """
        body, request = await self._signed("watch", cluster, (), {"usage": True} if usage else {})
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
        body, request = await self._signed("console.open", cluster, (node,), args, cols, rows)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            reply = await self._reply("console.open", body, channel, self._call_seconds, None)
            for outcome in reply.outcomes:
                if outcome.fault is not None:
                    raise error_of(outcome.fault)
            attached = await channel.receive(self._call_seconds)
            if not isinstance(attached, wire.Attached):
                raise WireError("the console was not attached", "See airboss's log.")
        except BaseException:
            channel.close()
            raise
        return ConsoleStream(channel, attached, reply)

    async def screen(
        self, node: str, cluster: str, mode: str = "control", exclusive: bool = False
    ) -> ScreenStream:
        """Open a node's screen (VNC): `control` it, as far as the role lets us, or only `watch`.

        Raises:
            as for `call`.
        """
        args: dict[str, Value] = {"mode": mode, "exclusive": exclusive}
        body, request = await self._signed("screen.open", cluster, (node,), args)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            reply = await self._reply("screen.open", body, channel, self._call_seconds, None)
            for outcome in reply.outcomes:
                if outcome.fault is not None:
                    raise error_of(outcome.fault)
            attached = await channel.receive(self._call_seconds)
            if not isinstance(attached, wire.ScreenAttached):
                raise WireError("the screen was not attached", "See airboss's log.")
        except BaseException:
            channel.close()
            raise
        return ScreenStream(channel, attached, reply)

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

    async def _open(
        self, verb: str, cluster: str, targets: Sequence[str], args: Mapping[str, Value] | None = None
    ) -> Channel:
        """Ask for a stream that begins with an empty reply; the channel is the caller's to close.

        Raises:
            as for `call`.
        """
        given = BY_ID[verb].arguments(dict(args or {}))
        body, request = await self._signed(verb, cluster, targets, given)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            await self._reply(verb, body, channel, self._call_seconds, None)
        except BaseException:
            channel.close()
            raise
        return channel

    async def _signed(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str],
        args: dict[str, Value],
        cols: int = 80,
        rows: int = 24,
    ) -> tuple[bytes, wire.Request]:
        self._seq += 1
        body = wire.encode_body(
            wire.RequestBody(
                v=wire.VERSION,
                airboss=self.hello.airboss,
                challenge=self.hello.challenge,
                seq=self._seq,
                time=time.time(),
                verb=verb,
                cluster=cluster,
                targets=tuple(targets),
                args=args,
            )
        )
        if len(body) > _LONGEST_BODY or len(targets) > wire.MAX_TARGETS:
            raise UsageError(
                f"{len(targets)} targets are too many for one request",
                "Name them as a range (compute-0-[0-99]), a glob, or @all.",
            )
        try:
            signature = await sshsig.make_with(self.signer, body, wire.REQUEST_NAMESPACE)
        except KeysError as error:
            raise identity_error(error) from None
        return body, wire.Request(body, signature, cols, rows)

    async def _reply(
        self, verb: str, body: bytes, channel: Channel, seconds: float, on_progress: OnProgress | None
    ) -> wire.Reply:
        """The reply, its parts put together, once it is found to be what it should be."""
        records: tuple[AnyRecord, ...] = ()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            frame = await channel.receive(max(until - loop.time(), 0.01))
            if isinstance(frame, wire.Progress):
                if on_progress is not None:
                    on_progress(frame)
            elif isinstance(frame, wire.Reply):
                if frame.fault is not None:
                    raise error_of(frame.fault)
                records += frame.records
                if not frame.more:
                    break
            elif frame is None:
                raise UnreachableError(
                    "airboss ended the request without a reply: what came of it is not known",
                    "`pilot nodes` shows how things are.",
                )
            else:
                raise WireError(f"a {type(frame).__name__} frame where a reply was due")
        # Without one airboss says that it acted, and that its disk has not taken the outcome.
        if BY_ID[verb].journaled and frame.receipt:
            key = self._connection.get_server_host_key()
            assert key is not None
            receipts.check(frame, body, key.public_data, self.hello.airboss)
            if self._receipts is not None:
                self._receipts.keep(self.site.name, body, frame)
        return wire.Reply(
            frame.outcomes,
            None,
            records,
            receipt=frame.receipt,
            receipt_signature=frame.receipt_signature,
        )
