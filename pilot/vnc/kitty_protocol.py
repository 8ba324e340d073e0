"""The words of Kitty's graphics protocol that pictures of screens need, and the cells that show them.

Source: kitty's documentation, "Terminal graphics protocol", with its part on Unicode placeholders. A picture
is sent under an id, with a virtual placement that says how many cells it fills. The cells themselves are
ordinary text: U+10EEEE with two marks for row and column, in a colour that is the id. So they scroll, are
covered by dialogs and pass through other programs as text does.
"""

from __future__ import annotations

import base64
import random
import re
import zlib

PLACEHOLDER = "\U0010eeee"
MARKS = (
    "\u0305\u030d\u030e\u0310\u0312\u033d\u033e\u033f\u0346\u034a\u034b\u034c\u0350\u0351\u0352\u0357\u035b"
    "\u0363\u0364\u0365\u0366\u0367\u0368\u0369\u036a\u036b\u036c\u036d\u036e\u036f"
)
"""The first of the marks that stand for the numbers from 0 on: those of combining class 230, in the order of
Unicode, that no character is composed with. Tiles are small: they need no more."""
MOST_CELLS = len(MARKS)
"""Columns or rows of one picture."""
PLACEMENT = 1
"""Named, since a picture that is sent again under its id takes the place of the one before only then."""
PROBE = 31
"""The id under which it is asked whether there are graphics; nothing is shown or kept under it."""

_CHUNK = 4096
"""Bytes of base64 in one command."""
_LEVEL = 1
"""Of zlib: stronger takes several times as long for a fifth less."""
_FIRST_ID, _LAST_ID = 0x10000, 0xFFFFFF
"""An id is a colour of 24 bits; small ones would be taken for one of the palette's."""
_ANSWER = re.compile(r"\x1b_Gi=(\d{1,10})[^;]{0,64};([^\x1b]{0,200})\x1b\\")


class Ids:
    """Ids for pictures. Other programs in the same terminal have theirs: it begins anywhere."""

    def __init__(self, first: int | None = None) -> None:
        """`first`: where it begins."""
        self._next = random.randint(_FIRST_ID, _LAST_ID) if first is None else first  # noqa: S311

    def take(self) -> int:
        """One that was not given before."""
        taken = self._next
        self._next = taken + 1 if taken < _LAST_ID else _FIRST_ID
        return taken


IDS = Ids()
"""This process's."""


def picture(
    id: int, pixels: bytes, size: tuple[int, int], cells: tuple[int, int], *, answer: bool = False
) -> list[bytes]:
    """The commands that send a picture, in place of what had its id before.

    Args:
        id: its id.
        pixels: red, green and blue of each, row by row.
        size: pixels across and down.
        cells: which it fills, across and down.
        answer: the terminal is to say so when it has it; else it says nothing, nor of errors.
    """
    data = base64.standard_b64encode(zlib.compress(pixels, _LEVEL))
    quiet = "" if answer else ",q=2"
    begin = f"a=T,U=1,i={id},p={PLACEMENT},c={cells[0]},r={cells[1]},s={size[0]},v={size[1]},f=24,o=z{quiet},"
    commands = []
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        head = f"{begin if start == 0 else ''}m={more}"
        if start and quiet:
            head += quiet
        commands.append(b"\x1b_G" + head.encode() + b";" + data[start : start + _CHUNK] + b"\x1b\\")
    return commands


def forget(id: int) -> bytes:
    """The command that deletes a picture, its placements and what is kept of it."""
    return b"\x1b_Ga=d,d=I,i=%d,q=2\x1b\\" % id


def question() -> bytes:
    """What asks a terminal whether it has graphics, and for its name."""
    return b"\x1b_Ga=q,i=%d,s=1,v=1,f=24;AAAA\x1b\\\x1b[>q" % PROBE


def cells(row: int, columns: int) -> str:
    """A row of a picture's cells. Each says where it is: what stands left of it may be covered."""
    mark = MARKS[row]
    return "".join(f"{PLACEHOLDER}{mark}{MARKS[column]}" for column in range(columns))


def passed_through(command: bytes) -> bytes:
    """A command that tmux hands on to the terminal it is in, where `allow-passthrough` is on."""
    return b"\x1bPtmux;" + command.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"


def read_answer(text: str) -> tuple[int, str] | None:
    """A terminal's answer: the id, and `OK` or what went wrong; None if it is no such answer."""
    match = _ANSWER.fullmatch(text)
    return (int(match[1]), match[2]) if match else None
