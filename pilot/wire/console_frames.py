"""Frames that airboss sends of consoles, screens and recordings."""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.wire.server_frames import ServerFrame


class Person(msgspec.Struct, frozen=True, array_like=True):
    """One who is attached to a console."""

    id: int
    """Tells this one from all others at the same console, for as long as it is attached."""
    principal: str
    writing: bool
    """What this one types reaches the guest."""
    since: float
    """airboss's clock when it was attached."""
    typed: float
    """airboss's clock when it typed last; 0 if it never did. Within a few seconds."""
    may_write: bool
    """Whether the role allows to type at all."""


class Presence(ServerFrame, frozen=True, tag="presence"):
    """Who is attached to the console now, in the order they came; replaces what was said before."""

    people: tuple[Person, ...]
    you: int
    """The id of the one who is told."""
    time: float
    """airboss's clock now: idle times count from here."""


class Attached(ServerFrame, frozen=True, tag="attached"):
    """The console is open: what follows is `replay` bytes of what it printed before, then live."""

    node: str
    name: str
    writing: bool
    replay: int
    writer: str = ""
    """Who types: a principal, or several with commas."""
    watchers: int = 0
    start: int = 0
    """Where the replay begins, counted from the first byte that airboss ever kept of this console."""
    oldest: int = 0
    """Where the oldest byte is that `console.log` can still give, counted in the same way."""


class Output(ServerFrame, frozen=True, tag="output"):
    """What the guest printed; of a screen or a recording, its next bytes."""

    data: bytes


class Notice(ServerFrame, frozen=True, tag="notice"):
    """Something a viewer should know: presence, takeover, power, loss. Not guest output."""

    what: Literal[
        "joined", "left", "taken", "writer", "power", "host", "skipped", "closed", "chat", "limit", "sent"
    ]
    """`chat`: what another viewer said; `limit`: the stream ends soon, for a limit of the site; `sent`:
    somebody sent the node a break, a key or an NMI."""
    text: str
    writing: bool | None = None
    """Whether this viewer writes from now on; None if that did not change."""
    final: bool = False
    """The stream ends after this."""


class LogLine(msgspec.Struct, frozen=True, array_like=True):
    """A line that a console printed, with its end as it came, or a part of one too long or not ended yet."""

    offset: int
    """Of its first byte, counted from the first that airboss ever kept of this console."""
    time: float
    """UTC, seconds since the epoch, when its first byte came."""
    mono: float
    """Seconds of airboss's monotonic clock then: differences are right also if the clock was set."""
    data: bytes


class LogPage(ServerFrame, frozen=True, tag="log"):
    """Lines of a console's log, oldest first. An empty one now and then says that airboss is there."""

    lines: tuple[LogLine, ...] = ()
    more: bool = False
    """More of the past follows."""
    gap: bool = False
    """Lines before these are not kept any more, or were lost while nobody held the console."""


class ScreenAttached(ServerFrame, frozen=True, tag="screen"):
    """The screen is open: `Output` and `Input` frames carry its RFB stream, from the server's version on."""

    node: str
    name: str
    controlling: bool
    """Whether keys and pointer reach the guest."""
    exclusive: bool = False
    """Nobody else sees it meanwhile."""
    others: int = 0
    """Who else looks at it through this airboss, when it was opened; notices tell of changes."""


class Recording(msgspec.Struct, frozen=True, omit_defaults=True):
    """A console's recording (asciicast v3) as airboss keeps it."""

    id: str
    node: str
    name: str
    cluster: str
    principal: str
    """Who began it."""
    started: float
    """UTC, seconds since the epoch."""
    ended: float = 0.0
    """0 while it goes on."""
    size: int = 0
    """Bytes of the file."""
    input: bool = False
    """Whether what was typed is in it."""
    why_ended: str = ""


class Recordings(ServerFrame, frozen=True, tag="recordings"):
    """Recordings of a cluster's nodes, newest first; before a recording's bytes that one."""

    recordings: tuple[Recording, ...]
    more: bool = False
    """Older ones follow."""
