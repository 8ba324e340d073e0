"""Whose answer to the same line is another one: what each terminal printed since then, compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from pilot.console.engine import Engine

ANSWER_LINES = 200
"""Lines of an answer that are compared, its first: what is longer is not read, and costs nothing."""
NAME = "‹node›"
"""What stands for a node's own name."""

Answer = tuple[str, ...]


class Mark:
    """Where in a terminal an answer begins: at the line that the cursor was in."""

    def __init__(self, engine: Engine) -> None:
        """From here on."""
        self._engine = engine
        self.set()

    def set(self) -> None:
        """The next answer begins now."""
        engine = self._engine
        self._line = engine.dropped + engine.history + engine.cursor.row

    def answer(self, name: str, typed_to: Collection[str] = ()) -> Answer:
        """The lines since then, the typed one included, without the node's own name.

        A program that has the whole screen is compared by what stands there. Trailing blanks count nothing.

        Args:
            name: the node's.
            typed_to: names of all that got the line. Any of them may stand in the line that was typed, where
                it is the same for all, beside their own names in their prompts.
        """
        engine = self._engine
        end = engine.history + engine.rows
        first = typed = self._line - engine.dropped
        if first > engine.history + engine.cursor.row or engine.modes.alternate_screen:
            # It was cleared, or is a program's.
            first = engine.history
        first = max(first, 0)
        own, any_of = _words((name,)), _words((name, *typed_to))
        lines = [
            (any_of if line == typed else own).sub(NAME, engine.text(line)).rstrip()
            for line in range(first, min(end, first + ANSWER_LINES))
        ]
        while lines and not lines[-1]:
            lines.pop()
        return tuple(lines)


def usual(answers: Mapping[str, Answer]) -> Answer | None:
    """The answer that most gave; of as many for each, the one given by the first. None without any."""
    if not answers:
        return None
    return Counter(answers.values()).most_common(1)[0][0]


def differing(answers: Mapping[str, Answer]) -> frozenset[str]:
    """Who gave another answer than most; nobody where there is but one."""
    common = usual(answers)
    return frozenset(key for key, answer in answers.items() if answer != common)


def _words(names: Collection[str]) -> re.Pattern[str]:
    """Nodes' names as words of their own: `compute-0-1` is not in `compute-0-10`."""
    some = "|".join(re.escape(name) for name in names if name)
    return re.compile(rf"(?<![\w-])(?:{some})(?![\w-])" if some else r"(?!)")
