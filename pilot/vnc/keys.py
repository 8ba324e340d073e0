"""From keys as terminals and people name them, and from text, to what is pressed on a guest's keyboard.

A terminal tells of presses only, so a stroke is a whole one: its keys go down in order and up in reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pilot.console.keys import key_character, split_key
from pilot.errors import UsageError
from pilot.vnc.keyboard import (
    ALT,
    CONTROL,
    ENTER,
    MODIFIERS,
    NAMED,
    PRINTING,
    SHIFT,
    SUPER,
    SYSRQ,
    TAB,
    Key,
    keysym_of,
)

MAX_TEXT = 64 * 1024
"""Characters typed at once; at the pace of STROKE_SECONDS that takes a quarter of an hour."""
STROKE_SECONDS = 0.015
"""Between strokes of typed text: a guest's PS/2 keyboard holds 16 bytes, which is three to five strokes."""


class Stroke(NamedTuple):
    """Keys pressed together."""

    keys: tuple[Key, ...]

    def presses(self) -> Iterator[tuple[Key, bool]]:
        """Each key down, then each up."""
        for key in self.keys:
            yield key, True
        for key in reversed(self.keys):
            yield key, False

    @property
    def typable(self) -> bool:
        """Whether all of its keys are on the keyboard."""
        return all(key.scancode for key in self.keys)


class Typing(NamedTuple):
    """Text as strokes."""

    strokes: tuple[Stroke, ...]
    missing: str
    """Characters, each once, that no key of a US keyboard makes: they were left out."""


class Combination(NamedTuple):
    """A stroke that has a name: an entry of a menu."""

    title: str
    stroke: Stroke
    kind: str
    """What it is listed under: "system", "console", "sysrq" or "key"."""
    dangerous: bool = False
    """Whether it may end what runs in the guest."""


def stroke(name: str, character: str | None = None) -> Stroke | None:
    """What to press when a terminal says a key was; None if it is a modifier alone or nothing known.

    Args:
        name: the key as Textual names it, such as "ctrl+shift+left", "A" or "left_square_bracket".
        character: what it prints, if it does.
    """
    *modifiers, base = split_key("ctrl+at" if name == "ctrl-at" else name)
    if any(modifier not in MODIFIERS for modifier in modifiers):
        return None
    held = [MODIFIERS[modifier] for modifier in modifiers]
    if base == "backtab":
        return _together([*held, SHIFT], TAB)
    if base in NAMED and not (base in MODIFIERS and not modifiers):
        return _together(held, NAMED[base])
    # A letter's case is what the terminal says was printed; the name may tell only which key it was.
    text = character if character and len(character) == 1 and character.isprintable() else key_character(base)
    if text is None or not text.isprintable():
        return None
    return _together(held, *_printing(text))


def combination(words: str) -> Stroke:
    """Keys as a person writes them: "ctrl+alt+f2", "alt+sysrq+h", "super".

    Raises:
        UsageError: no such key.
    """
    held: list[Key] = []
    for word in (part.strip().lower() for part in split_key(words)):
        named = MODIFIERS.get(word) or NAMED.get(word)
        if named is not None:
            held.append(named)
            continue
        character = key_character(word) if word else None
        if character is None or character not in PRINTING:
            raise UsageError(f"no key is called {word or words!r}", "Keys are written as in ctrl+alt+f2.")
        held += _printing(character)
    return _together(held)


def strokes(text: str, *, caps_lock: bool = False) -> Typing:
    """Text as it is typed: a stroke for each character, Enter for each line's end.

    Args:
        text: what to type; the first MAX_TEXT characters are taken.
        caps_lock: whether the guest's Caps Lock is on, which turns Shift round for letters.
    """
    done: list[Stroke] = []
    missing: dict[str, None] = {}
    for character in text[:MAX_TEXT].replace("\r\n", "\n"):
        if character in "\n\r":
            done.append(Stroke((ENTER,)))
        elif character == "\t":
            done.append(Stroke((TAB,)))
        elif character in PRINTING:
            swapped = character.swapcase() if caps_lock and character.isalpha() else character
            done.append(_together((), *_printing(swapped)))
        else:
            missing[character] = None
    return Typing(tuple(done), "".join(missing))


def _printing(character: str) -> tuple[Key, ...]:
    """The keys of a character, Shift included; a key without scancode if the keyboard has none."""
    if character not in PRINTING:
        return (Key(keysym_of(character)),)
    scancode, shifted = PRINTING[character]
    key = Key(keysym_of(character), scancode)
    return (SHIFT, key) if shifted else (key,)


def _together(held: list[Key] | tuple[Key, ...], *keys: Key) -> Stroke:
    """All of them, each once and modifiers in the order given."""
    return Stroke(tuple(dict.fromkeys((*held, *keys))))


def _combinations() -> Iterator[Combination]:
    yield Combination("Ctrl+Alt+Del", Stroke((CONTROL, ALT, Key(0xFFFF, 0xE053))), "system", dangerous=True)
    yield Combination("Ctrl+Alt+Backspace", combination("ctrl+alt+backspace"), "system", dangerous=True)
    for number in range(1, 13):
        yield Combination(f"Ctrl+Alt+F{number}", combination(f"ctrl+alt+f{number}"), "console")
    for number in range(1, 13):
        yield Combination(f"F{number}", combination(f"f{number}"), "key")
    for title, words in (
        ("Esc", "escape"), ("Tab", "tab"), ("Alt+Tab", "alt+tab"), ("Alt+F4", "alt+f4"), ("Insert", "insert"),
        ("Menu", "menu"), ("Pause", "pause"), ("Caps Lock", "caps_lock"), ("Num Lock", "num_lock"),
        ("Scroll Lock", "scroll_lock"), ("Print Screen", "print"), ("Alt+Print Screen", "alt+print"),
    ):  # fmt: skip
        yield Combination(title, combination(words), "key")
    yield Combination("Super", Stroke((SUPER,)), "key")
    for letter in "hmtwlpqsuekrfibco":
        yield Combination(
            f"Alt+SysRq+{letter}",
            _together((ALT, SYSRQ), *_printing(letter)),
            "sysrq",
            letter not in "hmtwlpqr",
        )


COMBINATIONS: tuple[Combination, ...] = tuple(_combinations())
"""What a menu of keys offers that terminals and window managers keep for themselves."""
