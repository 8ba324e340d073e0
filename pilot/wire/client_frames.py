"""Frames that a client sends."""

from __future__ import annotations

import msgspec


class ClientFrame(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """Base of what a client sends."""


class HelloAsk(ClientFrame, frozen=True, tag="hello"):
    """The first channel of a connection asks who airboss is, and who it takes us for."""

    client: str = ""
    """Name and version of the client, for the log."""


class Request(ClientFrame, frozen=True, tag="request"):
    """A RequestBody as JSON bytes, and an SSHSIG blob (not armored) over exactly these bytes."""

    body: bytes
    signature: bytes
    cols: int = 80
    rows: int = 24


class Input(ClientFrame, frozen=True, tag="input"):
    """Keys for the console."""

    data: bytes


class Resize(ClientFrame, frozen=True, tag="resize"):
    """The viewer's window has another size."""

    cols: int
    rows: int


class Take(ClientFrame, frozen=True, tag="take"):
    """The viewer asks for the keyboard; who had it watches from then on."""


class Ping(ClientFrame, frozen=True, tag="ping"):
    """A watcher wants to know that airboss is there, and how far away."""

    token: int
    """Given back as it is; a client's own clock, for instance."""


class Join(ClientFrame, frozen=True, tag="join"):
    """The viewer asks to type too, beside those who do; they are told."""


class Release(ClientFrame, frozen=True, tag="release"):
    """The viewer gives the keyboard back and watches on."""

    to: int = 0
    """Who is to have it (a Person's id); 0 for whoever has asked for it first, if anybody has."""


class Chat(ClientFrame, frozen=True, tag="chat"):
    """A line to the others at this console; the guest does not see it. MAX_CHAT characters at most."""

    text: str


AnyClientFrame = HelloAsk | Request | Input | Resize | Take | Join | Release | Chat | Ping
