"""One SSH session channel of the wire: one request, and the stream it may open."""

from __future__ import annotations

import asyncio
import logging

import asyncssh

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.service import Service
from pilot.errors import PilotError, WireError

_log = logging.getLogger(__name__)

MAX_REFUSALS = 20
"""Requests refused for their signature before the connection is closed."""
_HIGH_FRAMES = 64
_LOW_FRAMES = 16
"""Frames of a stream's viewer that wait to be handled before it is held back, and until it goes on."""


class FrameChannel:
    """Frames out, with back-pressure; frames in, bounded."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan
        self._room = asyncio.Event()
        self._room.set()
        self._inbox: asyncio.Queue[wire.AnyClientFrame] = asyncio.Queue()

    def put(self, frame: wire.AnyClientFrame) -> None:
        """A frame for the stream. The client is held back while many wait: SSH's window bounds the rest."""
        self._inbox.put_nowait(frame)
        if self._inbox.qsize() == _HIGH_FRAMES:
            self._chan.pause_reading()

    async def receive(self) -> wire.AnyClientFrame:
        """The next frame for the stream. However many wait, others run in between."""
        if not self._inbox.empty():
            await asyncio.sleep(0)
        frame = await self._inbox.get()
        if self._inbox.qsize() == _LOW_FRAMES:
            self._chan.resume_reading()
        return frame

    def tell(self, frame: wire.ServerFrame) -> None:
        """Send without waiting; for frames whose number is bounded by the request."""
        if not self._chan.is_closing():
            self._chan.write(wire.encode(frame))

    async def send(self, frame: wire.ServerFrame) -> None:
        """Send, and wait while the client does not read."""
        self.tell(frame)
        await self._room.wait()

    def pause(self) -> None:
        """The client does not read: hold what can wait."""
        self._room.clear()

    def resume(self) -> None:
        """The client reads on."""
        self._room.set()

    def refuse(self, error: PilotError) -> None:
        """Answer that the request as a whole is refused."""
        self.tell(wire.Reply(fault=wire.Fault(error.code, error.message, error.hint)))

    def end(self, status: int = 0) -> None:
        """Close the channel after what was sent; success needs no packet of its own to say so."""
        if self._chan.is_closing():
            return
        if status:
            self._chan.exit(status)
        else:
            self._chan.close()


class WireMode:
    """What a channel with the `airboss` subsystem does with what it is sent."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], service: Service, caller: Caller) -> None:
        self._chan = chan
        self._service = service
        self._caller = caller
        self._reader = wire.FrameReader(wire.MAX_CLIENT_FRAME)
        self._channel = FrameChannel(chan)
        self._task: asyncio.Task[None] | None = None
        self.asked = False
        """Whether a whole frame has come."""

    def data(self, data: bytes) -> None:
        """Frames, or parts of them."""
        try:
            for payload in self._reader.feed(data):
                self._frame(wire.decode_client(payload))
        except WireError as error:
            self._channel.refuse(error)
            self._channel.end(int(error.exit_code))

    def _frame(self, frame: wire.AnyClientFrame) -> None:
        self.asked = True
        if isinstance(frame, wire.HelloAsk):
            self._channel.tell(self._service.hello(self._caller, frame))
            self._channel.end()
        elif isinstance(frame, wire.Request):
            if self._task is not None:
                raise WireError("a second request on one channel", "Open a channel for each request.")
            self._task = asyncio.create_task(self._serve(frame))
        elif self._task is None:
            raise WireError("a channel begins with a request")
        else:
            self._channel.put(frame)

    async def _serve(self, request: wire.Request) -> None:
        status = 0
        try:
            await self._service.serve(self._caller, request, self._channel)
        except PilotError as error:
            status = int(error.exit_code)
            self._channel.refuse(error)
        except Exception:
            _log.exception("a request of %s", self._caller.principal)
            status = 1
            self._channel.refuse(PilotError("airboss failed inside", "Its log says more."))
        self._channel.end(status)
        if self._caller.refusals >= MAX_REFUSALS:
            self._chan.get_connection().disconnect(
                asyncssh.DISC_PROTOCOL_ERROR, "too many requests with bad signatures"
            )

    def resized(self, cols: int, rows: int) -> None:
        """Windows of the wire say their size in frames."""

    def pause(self) -> None:
        """The client does not read."""
        self._channel.pause()

    def resume(self) -> None:
        """The client reads on."""
        self._channel.resume()

    def lost(self) -> None:
        """The channel is closed: what was asked on it is cancelled."""
        if self._task is not None:
            self._task.cancel()
        self._channel.resume()
