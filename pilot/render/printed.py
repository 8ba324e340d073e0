"""A line that a guest printed, as text: what a person would have seen, and nothing that a terminal obeys.

Only what moves within a line is followed: carriage returns, backspaces, tabs, and the sequences by which a
shell edits its line. Colours are kept if they are wanted; all else that is not text is left out.

Source of the sequences: ECMA-48.
"""

from __future__ import annotations

import re

LONGEST = 16 * 1024
"""Characters that are followed as one line: in longer ones that takes too long. They are shown in parts."""
FARTHEST = 1000
"""The column that a cursor may be moved to beyond what was printed."""
_LONGEST_PEN = 100

_SPECIAL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_TOKEN = re.compile(
    "(?P<text>[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+)"
    r"|\x1b\[(?P<numbers>[0-9:;]{0,40})(?P<final>[mKCDGP@X])"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"
    "|\x1b[]PX^_][^\x07\x18\x1a\x1b]*(?:\x07|\x1b\\\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<control>[\r\b\t])"
    "|.",
    re.DOTALL,
)


def printed(data: bytes, colour: bool = False) -> str:
    """A line, or a part of one, without its end."""
    text = data.decode("utf-8", "replace").rstrip("\r\n")
    if _SPECIAL.search(text) is None:
        return text
    return "".join(_followed(text[at : at + LONGEST], colour) for at in range(0, len(text), LONGEST))


def _followed(text: str, colour: bool) -> str:
    line = _Line()
    for token in _TOKEN.finditer(text):
        if found := token["text"]:
            line.write(found)
        elif final := token["final"]:
            line.sequence(final, token["numbers"])
        elif control := token["control"]:
            line.control(control)
    return line.text(colour)


class _Line:
    """One row of unbounded width."""

    def __init__(self) -> None:
        self._cells: list[str] = []
        self._pens: list[str] = []
        self._at = 0
        self._pen = ""

    def write(self, text: str) -> None:
        """Text at the cursor, over what is there."""
        self._reach(self._at)
        end = self._at + len(text)
        self._cells[self._at : end] = text
        self._pens[self._at : end] = [self._pen] * len(text)
        self._at = end

    def control(self, control: str) -> None:
        """Carriage return, backspace or tab."""
        if control == "\r":
            self._at = 0
        elif control == "\b":
            self._at = max(self._at - 1, 0)
        else:
            self._move(self._at + 8 - self._at % 8)

    def sequence(self, final: str, numbers: str) -> None:
        """A control sequence."""
        if final == "m":
            self._colour(numbers)
            return
        first = numbers.partition(";")[0]
        number = min(int(first), FARTHEST) if first.isdecimal() else 0
        count = max(number, 1)
        if final == "C":
            self._move(self._at + count)
        elif final == "D":
            self._at = max(self._at - count, 0)
        elif final == "G":
            self._move(count - 1)
        elif final == "K":
            self._erase(0 if number else self._at, self._at + 1 if number == 1 else len(self._cells))
        elif final == "X":
            self._erase(self._at, self._at + count)
        elif final == "P":
            del self._cells[self._at : self._at + count]
            del self._pens[self._at : self._at + count]
        elif self._at < len(self._cells) and (count := min(count, FARTHEST - len(self._cells))) > 0:
            self._cells[self._at : self._at] = " " * count
            self._pens[self._at : self._at] = [""] * count

    def text(self, colour: bool) -> str:
        """What is to be seen at last."""
        if not colour:
            return "".join(self._cells)
        out: list[str] = []
        pen = ""
        for cell, wanted in zip(self._cells, self._pens, strict=True):
            if wanted != pen:
                out.append("\x1b[0m" + wanted)
                pen = wanted
            out.append(cell)
        return "".join(out) + ("\x1b[0m" if pen else "")

    def _colour(self, numbers: str) -> None:
        if numbers in ("", "0") or numbers.startswith(("0;", ";")):
            self._pen = ""
        if numbers not in ("", "0"):
            sequence = f"\x1b[{numbers}m"
            longer = self._pen + sequence
            self._pen = longer if len(longer) <= _LONGEST_PEN else sequence

    def _move(self, column: int) -> None:
        self._at = min(column, max(FARTHEST, len(self._cells)))

    def _reach(self, column: int) -> None:
        missing = column - len(self._cells)
        if missing > 0:
            self._cells += " " * missing
            self._pens += [""] * missing

    def _erase(self, start: int, end: int) -> None:
        size = min(end, len(self._cells)) - start
        if end >= len(self._cells):
            del self._cells[start:], self._pens[start:]
        elif size > 0:
            self._cells[start : start + size] = " " * size
            self._pens[start : start + size] = [""] * size
