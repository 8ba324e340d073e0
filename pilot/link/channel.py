"""One SSH session channel as the client sees it: frames out, frames in, with a bound on what waits."""

from __future__ import annotations

import asyncio
from collections import deque

import asyncssh

from pilot import wire
from pilot.errors import DeadlineError, PilotError, UnreachableError, WireError

_HIGH_BYTES = 2 * 1024 * 1024
_LOW_BYTES = 512 * 1024
_HIGH_FRAMES = 512
"""What may wait to be received before airboss is held back."""

LOST = "the connection to airboss was lost"


class Channel(asyncssh.SSHClientSession[bytes]):
    """Frames of one channel. Made by `open_channel`."""

    def __init__(self) -> None:
        self._reader = wire.FrameReader(wire.MAX_SERVER_FRAME)
        self._frames: deque[tuple[int, wire.AnyServerFrame]] = deque()
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._paused = False
        self._error: PilotError | None = None
        self._ended = False
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None

    # --- what asyncssh calls ---------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open."""
        self._chan = chan

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        """Bytes came: frames, or parts of them."""
        if self._error is not None:
            return
        try:
            for payload in self._reader.feed(data):
                self._frames.append((len(payload), wire.decode_server(payload)))
                self._waiting_bytes += len(payload)
        except WireError as error:
            self._fail(error)
        if not self._paused and (self._waiting_bytes > _HIGH_BYTES or len(self._frames) > _HIGH_FRAMES):
            self._paused = True
            assert self._chan is not None
            self._chan.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Airboss sends no more."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed, or the connection under it is lost."""
        if exc is not None and self._error is None:
            self._error = UnreachableError(f"{LOST}: {wire.plain(str(exc)) or type(exc).__name__}")
        self._end()

    def pause_writing(self) -> None:
        """Airboss does not read what we send."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Airboss reads on."""
        self._room.set()

    # --- what the client calls -------------------------------------------------------------------

    def send(self, frame: wire.ClientFrame) -> None:
        """Send without waiting. What goes to a channel that is closed is lost, as on any wire."""
        if self._chan is not None and not self._ended and not self._chan.is_closing():
            self._chan.write(wire.encode(frame))

    async def drain(self) -> None:
        """Wait while airboss does not read."""
        await self._room.wait()

    async def receive(self, deadline: float | None = None) -> wire.AnyServerFrame | None:
        """The next frame; None once airboss has ended the channel. `deadline` in seconds from now.

        Raises:
            DeadlineError: nothing came in time.
            UnreachableError: the connection was lost.
            WireError: what came is not the protocol.
        """
        while not self._frames:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                if deadline is None:
                    await self._waiter
                else:
                    async with asyncio.timeout(deadline):
                        await self._waiter
            except TimeoutError:
                raise DeadlineError(
                    f"airboss did not answer within {deadline:.0f} s", "`pilot nodes` shows how things are."
                ) from None
            finally:
                self._waiter = None
        size, frame = self._frames.popleft()
        self._waiting_bytes -= size
        if self._paused and self._waiting_bytes <= _LOW_BYTES and len(self._frames) <= _HIGH_FRAMES // 2:
            self._paused = False
            if self._chan is not None and not self._ended:
                self._chan.resume_reading()
        return frame

    def close(self) -> None:
        """Give the channel up; airboss takes that for a cancel."""
        if self._chan is not None:
            self._chan.close()

    def _fail(self, error: PilotError) -> None:
        self._error = error
        self.close()

    def _end(self) -> None:
        if self._reader.pending and self._error is None:
            self._error = WireError("airboss ended in the middle of a frame", "See airboss's log.")
        self._ended = True
        self._room.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def open_channel(connection: asyncssh.SSHClientConnection, deadline: float) -> Channel:
    """A new channel for one request.

    Raises:
        UnreachableError: the connection is lost, or airboss opens no channel.
    """
    channel = Channel()
    try:
        async with asyncio.timeout(deadline):
            await connection.create_session(lambda: channel, subsystem=wire.SUBSYSTEM, encoding=None)
    except TimeoutError:
        raise UnreachableError(f"airboss opened no channel within {deadline:.0f} s") from None
    except asyncssh.ChannelOpenError as error:
        raise UnreachableError(
            f"airboss opened no channel: {wire.plain(error.reason)}", "Is it an airboss that listens there?"
        ) from None
    except (asyncssh.Error, OSError) as error:
        raise UnreachableError(f"{LOST}: {wire.plain(str(error))}") from None
    return channel
