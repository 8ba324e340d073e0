"""Keys into what a terminal sends for them.

Keys are named as Textual names them: modifiers and a key joined by "+", such as "ctrl+shift+left"; keys that
print by their character or by its Unicode name in lower case. The encodings are those of xterm in its default
state (PC style function keys, as the xterm control sequences document gives them), which VT220 and Linux
guests know, too. The keypad is no part of it: Textual gives its keys the names of the others.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pilot.console.engine import Modes

_SHIFT, _ALT, _CTRL = 1, 2, 4
_MODIFIERS = {"shift": _SHIFT, "alt": _ALT, "meta": _ALT, "ctrl": _CTRL}
"""Bits of xterm's modifier parameter, less one; super and hyper have no place in it."""

_LETTERS = {
    "up": "A", "down": "B", "right": "C", "left": "D", "kp_begin": "E", "end": "F", "home": "H",
    "f1": "P", "f2": "Q", "f3": "R", "f4": "S",
}  # fmt: skip
"""Keys sent as CSI letter, or SS3 letter in application mode; with modifiers CSI 1 ; modifiers letter."""
_CURSOR = frozenset({"up", "down", "right", "left", "kp_begin", "end", "home"})

_NUMBERS = {
    "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6,
    "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20, "f10": 21, "f11": 23, "f12": 24, "f13": 25, "f14": 26,
    "f15": 28, "f16": 29, "f17": 31, "f18": 32, "f19": 33, "f20": 34, "menu": 29,
}  # fmt: skip
"""Keys sent as CSI number ~, with modifiers CSI number ; modifiers ~. Menu is the Do of a VT220."""
_SHIFTED_FUNCTIONS = {f"f{number}": (f"f{number - 12}", _SHIFT) for number in range(21, 25)}
"""A VT220 keyboard ends at F20; where terminals have more, they are the lower ones with Shift."""

_CONTROLS = {
    "@": 0, " ": 0, "2": 0, "`": 0, "[": 27, "3": 27, "\\": 28, "4": 28, "]": 29, "5": 29,
    "^": 30, "6": 30, "~": 30, "_": 31, "7": 31, "/": 31, "-": 31, "?": 127, "8": 127,
}  # fmt: skip
"""What Ctrl makes of a character besides letters, as keyboards of VT220 and xterm do."""

_CHARACTERS = {
    "space": " ", "at": "@", "slash": "/", "backslash": "\\", "underscore": "_", "minus": "-", "plus": "+",
    "hyphen_minus": "-", "hyphen": "-", "newline": "\n", "left_square_brace": "[", "right_square_brace": "]",
    "decimal": ".", "divide": "/", "multiply": "*", "subtract": "-", "add": "+", "equal": "=",
    "separator": ",",
}  # fmt: skip
"""Names that are no Unicode names: Textual's own, and those of the keypad's keys."""


def encode(key: str, character: str | None, modes: Modes) -> bytes | None:
    """What the guest gets when a key is pressed; None if it gets nothing.

    `key` is the key's name, `character` what it prints, if it does; `modes` what the guest asked for. Nothing
    is sent for keys that are only modifiers, for combinations with Super or Hyper, and for what no terminal
    sends.
    """
    *names, name = split_key("ctrl+at" if key == "ctrl-at" else key)
    modifiers = 0
    for modifier in names:
        if modifier not in _MODIFIERS:
            return None
        modifiers |= _MODIFIERS[modifier]
    if name in _SHIFTED_FUNCTIONS:
        name, shift = _SHIFTED_FUNCTIONS[name]
        modifiers |= shift
    plain = _plain(name, modifiers, modes)
    if plain is not None:
        return plain
    if name in _LETTERS:
        return _lettered(name, modifiers, modes)
    if name in _NUMBERS:
        parameters = f"{_NUMBERS[name]};{modifiers + 1}" if modifiers else f"{_NUMBERS[name]}"
        return f"\x1b[{parameters}~".encode()
    text = _text(name, character, modifiers)
    if text is None:
        return None
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return None  # Half of a surrogate pair is no character.
    return b"\x1b" + data if modifiers & _ALT else data


def split_key(key: str) -> list[str]:
    """The parts of a name; the key itself may be a plus sign."""
    if key == "+" or key.endswith("++"):
        return [*key[:-1].rstrip("+").split("+"), "+"] if len(key) > 1 else ["+"]
    return key.split("+")


def _plain(name: str, modifiers: int, modes: Modes) -> bytes | None:
    """Keys that have had a control character since before there were sequences."""
    alt = b"\x1b" if modifiers & _ALT else b""
    if name in ("enter", "return"):
        return alt + (b"\r\n" if modes.newline else b"\r")
    if name == "escape":
        return alt + b"\x1b"
    if name == "backspace":
        return alt + (b"\x08" if modifiers & _CTRL else b"\x7f")
    if name in ("tab", "backtab"):
        return alt + (b"\x1b[Z" if modifiers & _SHIFT or name == "backtab" else b"\t")
    return None


def _lettered(name: str, modifiers: int, modes: Modes) -> bytes:
    letter = _LETTERS[name]
    if modifiers:
        return f"\x1b[1;{modifiers + 1}{letter}".encode()
    if name not in _CURSOR or modes.application_cursor:
        return f"\x1bO{letter}".encode()
    return f"\x1b[{letter}".encode()


def _text(name: str, character: str | None, modifiers: int) -> str | None:
    """What a key prints, or the control character it makes; None if it is no such key."""
    if modifiers & _CTRL:
        base = key_character(name)
        if base is None:
            return None
        control = _control(base)
        # A terminal sends the character itself if Ctrl makes nothing of it.
        return base if control is None else control
    if character and len(character) == 1 and (character.isprintable() or character == " "):
        return character
    base = key_character(name)
    if base is None and character and len(character) == 1 and ord(character) < 0x20:
        return character  # A control character that Textual has no name for.
    if base is not None and modifiers & _SHIFT:
        base = base.upper() if len(base.upper()) == 1 else base
    return base


def _control(character: str) -> str | None:
    if character.isascii() and character.isalpha():
        return chr(ord(character.upper()) & 0x1F)
    code = _CONTROLS.get(character)
    return None if code is None else chr(code)


@lru_cache(1024)
def key_character(name: str) -> str | None:
    """The character of a key that prints, by itself or by its name."""
    if len(name) == 1:
        return name
    if name in _CHARACTERS:
        return _CHARACTERS[name]
    words = name.upper().replace("_", " ")
    # Names lose their hyphens; few of them have any.
    for candidate in (
        words,
        words.replace("HYPHEN MINUS", "HYPHEN-MINUS"),
        words.replace(" THAN ", "-THAN "),
    ):
        try:
            return unicodedata.lookup(candidate)
        except KeyError:
            continue
    return None
