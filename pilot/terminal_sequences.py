"""Which control sequences may reach a person's terminal, and what they do to it.

Sources: ECMA-48 for the form of sequences, the xterm control sequences document (ctlseqs) for their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_PARAMETERS = re.compile(rb"(?P<mark>[<-?]?)(?P<numbers>[0-9:;]*)(?P<middle>[ -/]*)\Z")

_MAX_NUMBER = 9999
"""The highest parameter; more would keep a terminal busy repeating, and means nothing on a screen."""

_CSI_FINALS = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu")
_PRIVATE_MODES = frozenset(
    {1, 5, 6, 7, 12, 25, 45, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1048, 1049, 2004}
)
_CACHED = 1024

EMULATED = frozenset({b"5n", b">c", b">0c", b"20h", b"20l"})
"""What a terminal of the project's own may have besides: it can say that it is well and what it is, and Enter
may be made to send CR LF (LNM), which is put back with all else when the console is closed."""

RESET = b"\x1bc"
NO_WRAP = b"\x1b[?7l"
"""Autowrap off: what SeaBIOS begins its serial console with, directly after `RESET`, and again where it
hands over to the kernel. Nobody takes it back, so a real terminal shows the first 79 characters and the last
of each of the kernel's lines. SeaBIOS itself ends its lines, and shows the same with and without: together
with the reset it counts as the reset alone. Who turns it off at another moment gets what they ask for."""


class Verdict(NamedTuple):
    """What is to be done with a control sequence."""

    passes: bytes = b""
    """The sequence as it may be sent; empty if it may not."""
    touched: tuple[str, ...] = ()
    """What has to be put back at the end."""
    modes: tuple[int, ...] = ()
    """Private modes that it sets or resets."""
    question: bool = False
    """The terminal answers to it."""


_NOTHING = Verdict()


@lru_cache(_CACHED)
def judge(body: bytes, final: int) -> Verdict:
    """What to do with CSI, a body of parameters and intermediate bytes, and a final byte."""
    match = _PARAMETERS.match(body)
    if match is None:
        return _NOTHING
    mark, numbers, middle = match["mark"], match["numbers"], match["middle"]
    values = [int(number) if number else 0 for number in re.split(rb"[:;]", numbers)]
    if max(values) > _MAX_NUMBER:
        return _NOTHING
    whole = b"\x1b[" + body + bytes([final])
    if middle:
        if mark == b"" and middle == b" " and final == 0x71:
            return Verdict(whole, ("shape",))
        soft_reset = (mark, numbers, middle, final) == (b"", b"", b"!", 0x70)
        return Verdict(whole, ("wrap",)) if soft_reset else _NOTHING
    if mark == b"?" and final in b"hl":
        return _private_modes(values, final)
    if mark or (b":" in numbers and final != 0x6D):
        return _NOTHING
    if final in b"nc":
        question = (final, values) in ((0x6E, [6]), (0x63, [0]))
        return Verdict(whole, question=True) if question else _NOTHING
    if final not in _CSI_FINALS or not _CHECKS.get(final, _always)(values):
        return _NOTHING
    return Verdict(whole, _TOUCHES.get(final, ()))


def _private_modes(values: list[int], final: int) -> Verdict:
    allowed = tuple(value for value in values if value in _PRIVATE_MODES)
    if not allowed:
        return _NOTHING
    touches = ((7, "wrap"), (25, "cursor"), (12, "shape"))
    touched = tuple(touched for value, touched in touches if value in allowed)
    return Verdict(
        b"\x1b[?" + b";".join(b"%d" % value for value in allowed) + bytes([final]), touched, allowed
    )


def _always(_values: list[int]) -> bool:
    return True


_CHECKS: dict[int, Callable[[list[int]], bool]] = {
    0x4A: lambda values: values in ([0], [1], [2]),  # J: 3 would erase the viewer's own scrollback
    0x54: lambda values: len(values) == 1,  # T: with more it starts highlight mouse tracking
    0x68: lambda values: values == [4],  # h, l: insert mode; others lock the keyboard or change Enter
    0x6C: lambda values: values == [4],
}
_TOUCHES = {0x6D: ("colours",), 0x72: ("region",), 0x68: ("insert",)}
