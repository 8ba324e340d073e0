"""What a terminal answers to questions of ours, taken out of the keys that it sends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual.message import Message

LONGEST = 512
"""Characters of an answer; what is longer is none."""

_ANSWER = re.compile(r"\x1b_Gi=[^\x1b]{0,500}\x1b\\|\x1bP>\|[^\x1b]{0,500}\x1b\\")
"""Of Kitty's graphics protocol; and XTVERSION's, as xterm's control sequences document gives it."""
_BEGUN = re.compile(r"(?:\x1b_Gi=|\x1bP>\|)[^\x1b]*\x1b?\Z")


class TerminalAnswered(Message):
    """The terminal has answered."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class AnswerFilter:
    """Parts answers from keys, however the terminal's bytes were cut."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._held = ""

    def split(self, data: str) -> Iterator[str | TerminalAnswered]:
        """Answers, and what is between them; of an answer whose end has not come yet, nothing."""
        data, self._held = self._held + data, ""
        begun = _BEGUN.search(data)
        if begun is not None and len(data) - begun.start() <= LONGEST:
            data, self._held = data[: begun.start()], data[begun.start() :]
        at = 0
        for match in _ANSWER.finditer(data):
            if match.start() > at:
                yield data[at : match.start()]
            yield TerminalAnswered(match[0])
            at = match.end()
        if at < len(data):
            yield data[at:]
