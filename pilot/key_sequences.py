"""Keys with a name, from app.toml: typed at a console, or pressed on a VM's keyboard, with two keys."""

from __future__ import annotations

import re

import msgspec

from pilot import config

MOST_BYTES = 4096
MOST_PIECES = 64
LONGEST_WAIT = 60.0
_NAME = 40
_TOGETHER = 8
"""Keys that airboss presses at once, at most."""

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\(.)|\^(.)|(\\|\^)", re.DOTALL)
_KNOWN = r"\r \n \t \e \b \xNN ^C, and \\ \^ for themselves,"
_NAMED = {"r": b"\r", "n": b"\n", "t": b"\t", "e": b"\x1b", "b": b"\x08", "\\": b"\\", "^": b"^"}


class KeySequence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One `[[sequence]]`."""

    name: str
    """What it is called in the menu."""
    keys: str | list[str] = ""
    r"""As it stands, but `\r` is Enter, `\e` Escape, `^C` Ctrl+C, `\xNN` any byte, `\\` `\`;
    a list is typed piece by piece."""
    press: str = ""
    """Instead of `keys`: pressed together on the VM's own keyboard, as `send.keys` takes them."""
    wait: float = 0.5
    """Seconds between two pieces."""
    confirm: bool = False
    """Whether it is asked about first."""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > _NAME or not self.name.isprintable():
            raise config.KeyProblem("name", f"from 1 to {_NAME} printable characters")
        if not 0 <= self.wait <= LONGEST_WAIT:
            raise config.KeyProblem("wait", f"from 0 to {LONGEST_WAIT:.0f} seconds")
        if self.press:
            self._check_press()
            return
        try:
            pieces = self.pieces()
        except ValueError as error:
            raise config.KeyProblem("keys", str(error)) from None
        if not 0 < len(pieces) <= MOST_PIECES or not 0 < sum(map(len, pieces)) <= MOST_BYTES:
            raise config.KeyProblem("keys", f"from 1 to {MOST_BYTES} bytes, in {MOST_PIECES} pieces at most")

    def _check_press(self) -> None:
        if self.keys:
            raise config.KeyProblem("press", "either keys or press")
        names = self.press.split("+")
        if len(names) > _TOGETHER or not all(name.isalnum() for name in names):
            raise config.KeyProblem("press", f"from 1 to {_TOGETHER} names of keys with a plus in between")

    def pieces(self) -> list[bytes]:
        """What is typed, piece by piece."""
        return [typed(piece) for piece in ([self.keys] if isinstance(self.keys, str) else self.keys)]

    @property
    def written(self) -> str:
        """What is typed, as the user wrote it."""
        return self.keys if isinstance(self.keys, str) else " ".join(self.keys)


def typed(text: str) -> bytes:
    """The bytes that a text with escapes stands for.

    Raises:
        ValueError: an escape that there is not.
    """
    out, at = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        out += text[at : match.start()].encode()
        at = match.end()
        number, named, control, _ = match.groups()
        if number:
            out.append(int(number, 16))
        elif named in _NAMED:
            out += _NAMED[named]
        elif control is not None and "?" <= control.upper() <= "_":
            out.append(0x7F if control == "?" else ord(control.upper()) & 0x1F)
        else:
            raise ValueError(
                f"'{match[0]}' stands for no key: \\r \\n \\t \\e \\b \\xNN ^C, and \\\\ \\^ for themselves"
            )
    return bytes(out + text[at:].encode())
