"""Recordings as they come on a channel: which there are, and one of them as a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType

from pilot import wire
from pilot.errors import DeadlineError, UnreachableError, WireError
from pilot.link import paging
from pilot.link.channel import Channel
from pilot.link.faults import error_of

SILENCE_SECONDS = 30.0
"""Between two frames: a slow disk has its time."""
MOST = 100_000
"""Recordings of one cluster; no airboss keeps so many."""


async def pages(channel: Channel) -> AsyncGenerator[wire.Recordings, None]:
    """What airboss sends once it has accepted to, newest first.

    Raises:
        UnreachableError: the connection was lost, or is silent.
        WireError: what came does not belong there.
        PilotError: why airboss ended it.
    """
    count = 0
    coming = paging.pages(channel, wire.Recordings, "list of recordings", SILENCE_SECONDS, False)
    async with aclosing(coming):
        async for page in coming:
            count += len(page.recordings)
            if count > MOST:
                raise WireError(f"airboss names more than {MOST:,} recordings of one cluster")
            yield page


class RecordingStream:
    """One recording, as its file's bytes. An async context manager."""

    def __init__(self, channel: Channel, recording: wire.Recording) -> None:
        """Made by `open_recording`."""
        self.recording = recording
        """As of when it was opened: `size` bytes follow."""
        self._channel = channel
        self._left = recording.size

    async def __aenter__(self) -> RecordingStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    async def read(self) -> bytes:
        """The next bytes; none at the end.

        Raises:
            UnreachableError: the connection was lost, is silent, or airboss ended it before its end.
            WireError: what came does not belong there.
            PilotError: why airboss ended it.
        """
        frame = await _receive(self._channel)
        if frame is None:
            if self._left:
                raise UnreachableError(f"airboss ended the recording {self._left:,} bytes before its end")
            return b""
        if not isinstance(frame, wire.Output) or not frame.data:
            raise WireError(f"a {type(frame).__name__} frame in a recording")
        self._left -= len(frame.data)
        if self._left < 0:
            raise WireError("airboss sent more of a recording than there was")
        return frame.data


async def open_recording(channel: Channel) -> RecordingStream:
    """The recording that airboss sends once it has accepted to; closes the channel if it does not.

    Raises:
        as for `RecordingStream.read`.
    """
    try:
        frame = await _receive(channel)
        if frame is None:
            raise UnreachableError("airboss ended the recording", "It may be restarting.")
        if not isinstance(frame, wire.Recordings) or len(frame.recordings) != 1:
            raise WireError(f"a {type(frame).__name__} frame where one recording was due")
    except BaseException:
        channel.close()
        raise
    return RecordingStream(channel, frame.recordings[0])


async def _receive(channel: Channel) -> wire.AnyServerFrame | None:
    try:
        frame = await channel.receive(SILENCE_SECONDS)
    except DeadlineError:
        raise UnreachableError(f"airboss has been silent for {SILENCE_SECONDS:.0f} s") from None
    if isinstance(frame, wire.Reply) and frame.fault is not None:
        raise error_of(frame.fault)
    return frame
