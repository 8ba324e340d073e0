"""What keys mean at a console in a plain terminal: all but two control characters are the guest's.

`Ctrl+]` leaves at once. `Ctrl+^`, which terminal servers use as well, makes a command of the next key. It is
the same in `pilot console` and for stock ssh.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pilot.wire import MAX_CHAT, plain

LEAVE = 0x1D
PREFIX = 0x1E

What = Literal["type", "echo", "leave", "who", "take", "join", "release", "say", "break", "help"]

_COMMANDS: dict[int, What] = {
    ord("w"): "who",
    ord("t"): "take",
    ord("j"): "join",
    ord("r"): "release",
    ord("?"): "help",
}
_ENTER = (0x0D, 0x0A)
_ERASE = (0x08, 0x7F)
_ESCAPE = 0x1B
_CANCEL = (0x03, _ESCAPE)
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]?|O[@-~]?)")
"""A key that terminals send as a sequence (ECMA-48; SS3 for xterm's). The Escape key comes alone."""


class Meant(NamedTuple):
    """What is to be done."""

    what: What
    data: bytes = b""
    """For the guest (`type`) or the user's own terminal (`echo`)."""
    text: str = ""
    """What is said (`say`)."""


def control(name: str) -> int | None:
    """The control character of a key such as `ctrl+t`; None for `none`.

    Raises:
        ValueError: there is no such character, or it leaves.
    """
    if name == "none":
        return None
    key = name.lower().removeprefix("ctrl+").upper()
    if len(key) != 1 or key == name.upper() or not "@" <= key <= "_" or ord(key) & 0x1F == LEAVE:
        raise ValueError(f"'{name}' is no such key")
    return ord(key) & 0x1F


def shown(key: int) -> str:
    """A control character as people write it."""
    return f"Ctrl+{chr(key | 0x40)}"


def help_words(prefix: int | None = PREFIX, *, breaks: bool = False) -> str:
    """All commands in one line."""
    if prefix is None:
        return "Ctrl+] leaves"
    sent = " b serial break," if breaks else ""
    return (
        f"{shown(prefix)} and then: w who is here, t take the keyboard, j join: type too,"
        f" r release the keyboard, s say a line,{sent} {shown(prefix)} or Ctrl+] to the guest; Ctrl+] leaves"
    )


class Keys:
    """Tells keys and commands apart, however the keys were cut into packets."""

    def __init__(self, prefix: int | None = PREFIX, *, breaks: bool = False) -> None:
        """`breaks`: whether `b` after the prefix is a serial break."""
        self._prefix = prefix
        self._known: dict[int, What] = {**_COMMANDS, ord("b"): "break"} if breaks else _COMMANDS
        self._prefixed = False
        self._line: str | None = None
        """What is being written to the others; None while keys are the guest's."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, keys: bytes) -> Iterator[Meant]:
        """What these keys mean, in order. Nothing is after `leave`."""
        to_guest = bytearray()
        skipped = 0
        for at, key in enumerate(keys):
            if at < skipped:
                continue
            if self._line is not None and key == _ESCAPE and (found := _SEQUENCE.match(keys, at)):
                # An arrow, or a mark around a paste: it writes nothing, and the guest gets none of it.
                skipped = found.end()
                continue
            if self._line is None and not self._prefixed and key not in (LEAVE, self._prefix):
                to_guest.append(key)
                continue
            if to_guest:
                yield Meant("type", bytes(to_guest))
                to_guest.clear()
            if self._prefixed:
                yield self._command(key)
            elif key == LEAVE:
                yield Meant("leave")
                return
            elif self._line is None:
                self._prefixed = True
            elif (meant := self._write(key)) is not None:
                yield meant
        if to_guest:
            yield Meant("type", bytes(to_guest))

    def _command(self, key: int) -> Meant:
        self._prefixed = False
        if key in (self._prefix, LEAVE):
            return Meant("type", bytes([key]))
        if key == ord("s"):
            self._line = ""
            self._decoder.reset()
            return Meant("echo", b"\r\n\x1b[2msay: ")
        return Meant(self._known.get(key, "help"))

    def _write(self, key: int) -> Meant | None:
        """A key of a line to the others."""
        assert self._line is not None
        if key in _ENTER or key in _CANCEL:
            line, self._line = self._line, None
            if key in _ENTER and line:
                return Meant("say", b"\x1b[0m\r\n", line)
            return Meant("echo", b"\x1b[0m\r\n")
        if key in _ERASE:
            if not self._line:
                return None
            self._line = self._line[:-1]
            return Meant("echo", b"\b \b")
        text = self._decoder.decode(bytes([key]))
        if not text.isprintable() or not text or len(self._line) >= MAX_CHAT:
            return None
        self._line += text
        return Meant("echo", plain(text).encode())
