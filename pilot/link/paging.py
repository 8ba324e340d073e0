"""Frames of one kind that airboss sends on a channel until the past is told, or for ever."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, TypeVar

from pilot import wire
from pilot.errors import DeadlineError, UnreachableError, WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of


class Page(Protocol):
    """A part of what airboss has to tell."""

    @property
    def more(self) -> bool:
        """More of the past follows."""


P = TypeVar("P", bound=Page)


async def pages(
    channel: Channel, kind: type[P], stream: str, silence: float, follow: bool
) -> AsyncGenerator[P, None]:
    """Pages as they come; ends with the past, or not at all with `follow`.

    Args:
        channel: where they come.
        kind: the frame that a page is.
        stream: what it is called, such as `log's stream`.
        silence: seconds without a frame after which airboss is taken to be gone.
        follow: whether airboss was asked to go on after the past.

    Raises:
        UnreachableError: the connection was lost, or is silent.
        WireError: what came does not belong there.
        PilotError: why airboss ended it.
    """
    while True:
        try:
            frame = await channel.receive(silence)
        except DeadlineError:
            raise UnreachableError(f"airboss has been silent for {silence:.0f} s") from None
        if isinstance(frame, kind):
            yield frame
            if not (frame.more or follow):
                return
        elif isinstance(frame, wire.Reply) and frame.fault is not None:
            raise error_of(frame.fault)
        elif frame is None:
            raise UnreachableError(f"airboss ended the {stream}", "It may be restarting.")
        else:
            raise WireError(f"a {type(frame).__name__} frame in the {stream}")
