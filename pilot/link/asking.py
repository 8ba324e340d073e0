"""What is asked over a link: requests signed, replies put together and their receipts checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import asyncssh

from keys import sshsig
from keys.errors import KeysError
from keys.identity import Signer
from pilot import wire
from pilot.client_config import Site
from pilot.errors import UnreachableError, UsageError, WireError
from pilot.link import receipts
from pilot.link.channel import Channel, open_channel
from pilot.link.dial import HELLO_SECONDS, identity_error, say_hello
from pilot.link.faults import error_of
from pilot.records import AnyRecord, Grant
from pilot.verbs import BY_ID, Value

CALL_SECONDS = 30.0

_LONGEST_BODY = wire.MAX_CLIENT_FRAME - 8 * 1024
"""Bytes; what is left of a frame is for the signature, and a certificate in it."""

Attached = TypeVar("Attached", wire.Attached, wire.ScreenAttached)
OnProgress = Callable[[wire.Progress], None]


class Asking:
    """Asks an airboss over a connection that is there and authenticated."""

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

    async def _attach(
        self,
        verb: str,
        cluster: str,
        node: str,
        args: dict[str, Value],
        kind: type[Attached],
        cols: int = 80,
        rows: int = 24,
    ) -> tuple[Channel, Attached, wire.Reply]:
        """Ask for a node's console or screen; its channel, the caller's to close, and what it begins with.

        Raises:
            as for `call`.
        """
        body, request = await self._signed(verb, cluster, (node,), args, cols, rows)
        channel = await open_channel(self._connection, HELLO_SECONDS)
        try:
            channel.send(request)
            reply = await self._reply(verb, body, channel, self._call_seconds, None)
            for outcome in reply.outcomes:
                if outcome.fault is not None:
                    raise error_of(outcome.fault)
            attached = await channel.receive(self._call_seconds)
            if not isinstance(attached, kind):
                what = verb.partition(".")[0]
                raise WireError(f"the {what} was not attached", "See airboss's log.")
        except BaseException:
            channel.close()
            raise
        return channel, attached, reply

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
