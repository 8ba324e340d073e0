"""What the user's terminal sends, without loss: Textual's parser knows no Alt with most keys.

It takes `ESC :` for a colon, `ESC 1` for `¡`, `ESC DEL` for Ctrl+W, `^H` for Backspace. A console has to
give the guest what was typed: Escape and a key close behind it are vi's daily bread; slow lines join them.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.keys import _character_to_key
from textual.message import Message

from pilot.widgets.terminal_answers import AnswerFilter, TerminalAnswered

_ESC = "\x1b"
_BEGINS_SEQUENCE = frozenset("[OPX]^_")
"""What follows ESC where it begins a control sequence of the terminal's own: only time tells it from Alt."""
_CONTROL_H = "\x08"
_NAMES = {"\r": "enter", "\t": "tab", "\x7f": "backspace", " ": "space"}


class FaithfulParser(XTermParser):
    """Textual's parser, with `alt+KEY` for every key right behind an ESC; `character` is that key's."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._answers = AnswerFilter()

    def feed(self, data: str) -> Iterable[Message]:
        """Keys and the like; what the terminal answers is no key."""
        if not data:
            yield from super().feed(data)
            return
        for piece in self._answers.split(data):
            if isinstance(piece, TerminalAnswered):
                yield piece
            else:
                yield from super().feed(piece)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if len(sequence) == 2 and sequence[0] == _ESC and sequence[1] not in _BEGINS_SEQUENCE:
            yield _with_alt(sequence[1])
        elif len(sequence) == 1 and alt:
            yield _with_alt(sequence)
        elif sequence == _CONTROL_H:
            yield events.Key("ctrl+h", sequence)
        else:
            yield from super()._sequence_to_key_events(sequence, alt)


def _with_alt(character: str) -> events.Key:
    if character in _NAMES:
        name = _NAMES[character]
    elif character < " ":
        name = f"ctrl+{_name(chr(ord(character) + 0x40).lower())}"
    else:
        name = f"shift+{character.lower()}" if character.isupper() else _name(character)
    return events.Key(f"alt+{name}", character)


def _name(character: str) -> str:
    return character if character.isalnum() else _character_to_key(character)


def install() -> None:
    """Have Textual's driver read keys with this parser."""
    linux_driver.XTermParser = FaithfulParser  # type: ignore[attr-defined]


def ordinary(event: events.Key) -> list[events.Key]:
    """A key as Textual's widgets know it; with Alt it is Escape and the key, as a slow line joins them."""
    if event.key == "ctrl+h":
        return [events.Key("backspace", "\x7f")]
    character = event.character
    if not event.key.startswith("alt+") or not character:
        return [event]
    plain = FaithfulParser(False)._sequence_to_key_events(character)  # noqa: SLF001 - our own
    return [events.Key("escape", _ESC), *plain]
