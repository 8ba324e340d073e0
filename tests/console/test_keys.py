"""Every key that Textual can name, and what a guest gets for it."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import pytest
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS, MODIFIER_FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys, _character_to_key

from pilot.console.engine import Modes
from pilot.console.keys import encode

PLAIN = Modes()
KEYS = {
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H",
    "end": b"\x1b[F",
    "insert": b"\x1b[2~", "delete": b"\x1b[3~", "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~",
    "f1": b"\x1bOP", "f2": b"\x1bOQ", "f3": b"\x1bOR", "f4": b"\x1bOS", "f5": b"\x1b[15~", "f6": b"\x1b[17~",
    "f7": b"\x1b[18~", "f8": b"\x1b[19~", "f9": b"\x1b[20~", "f10": b"\x1b[21~", "f11": b"\x1b[23~",
    "f12": b"\x1b[24~", "f13": b"\x1b[25~", "f20": b"\x1b[34~",
    "enter": b"\r", "tab": b"\t", "escape": b"\x1b", "backspace": b"\x7f", "space": b" ",
    "shift+tab": b"\x1b[Z", "ctrl+backspace": b"\x08", "alt+backspace": b"\x1b\x7f", "alt+enter": b"\x1b\r",
    "shift+enter": b"\r", "ctrl+tab": b"\t", "shift+escape": b"\x1b", "alt+escape": b"\x1b\x1b",
    "ctrl+a": b"\x01", "ctrl+z": b"\x1a", "ctrl+m": b"\r", "ctrl+i": b"\t", "ctrl+h": b"\x08",
    "ctrl+j": b"\n",
    "ctrl+at": b"\0", "ctrl+@": b"\0", "ctrl-at": b"\0", "ctrl+space": b"\0",
    "ctrl+left_square_bracket": b"\x1b",
    "ctrl+left_square_brace": b"\x1b", "ctrl+[": b"\x1b", "ctrl+backslash": b"\x1c",
    "ctrl+right_square_bracket": b"\x1d", "ctrl+circumflex_accent": b"\x1e", "ctrl+underscore": b"\x1f",
    "ctrl+slash": b"\x1f", "ctrl+minus": b"\x1f", "ctrl+question_mark": b"\x7f", "ctrl+tilde": b"\x1e",
    "ctrl+3": b"\x1b", "ctrl+8": b"\x7f", "ctrl+1": b"1", "ctrl+shift+a": b"\x01", "ctrl+comma": b",",
    "alt+a": b"\x1ba", "alt+shift+a": b"\x1bA", "meta+a": b"\x1ba", "alt+ctrl+c": b"\x1b\x03",
    "alt+full_stop": b"\x1b.",
    "alt+left_curly_bracket": b"\x1b{", "alt+less_than_sign": b"\x1b<", "alt+space": b"\x1b ",
    "ctrl+alt+space": b"\x1b\0",
    "ctrl+up": b"\x1b[1;5A", "shift+left": b"\x1b[1;2D", "alt+right": b"\x1b[1;3C",
    "ctrl+shift+home": b"\x1b[1;6H",
    "ctrl+alt+end": b"\x1b[1;7F", "ctrl+alt+delete": b"\x1b[3;7~", "shift+insert": b"\x1b[2;2~",
    "ctrl+pageup": b"\x1b[5;5~", "shift+f5": b"\x1b[15;2~", "ctrl+f1": b"\x1b[1;5P", "alt+f12": b"\x1b[24;3~",
    "f24": b"\x1b[24;2~", "kp_begin": b"\x1b[E", "menu": b"\x1b[29~", "multiply": b"*", "add": b"+",
    "equal": b"=",
    "plus": b"+", "+": b"+", "ctrl++": b"+", "newline": b"\n",
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_what_is_sent(key: str) -> None:
    assert encode(key, None, PLAIN) == KEYS[key]


def test_modes_change_what_is_sent() -> None:
    application = Modes(application_cursor=True)
    assert encode("up", None, application) == b"\x1bOA"
    assert encode("home", None, application) == b"\x1bOH"
    assert encode("ctrl+up", None, application) == b"\x1b[1;5A"
    assert encode("f1", None, application) == b"\x1bOP"
    assert encode("delete", None, application) == b"\x1b[3~"
    assert encode("enter", "\r", Modes(newline=True)) == b"\r\n"


def test_characters() -> None:
    for code in [*range(0x20, 0x7F), 0xE4, 0xDF, 0x20AC, 0x6F22, 0x1F680]:
        character = chr(code)
        assert encode(_character_to_key(character), character, PLAIN) == character.encode()
    # A dead key or an input method may give what Textual has no name for.
    assert encode("whatever", "ž", PLAIN) == "ž".encode()
    assert encode("alt+whatever", "ž", PLAIN) == b"\x1b" + "ž".encode()


def test_characters_without_one_given() -> None:
    for code in range(0x21, 0x7F):
        character = chr(code)
        assert encode(f"alt+{_character_to_key(character)}", None, PLAIN) == b"\x1b" + character.encode()


NOTHING = [
    *sorted(MODIFIER_FUNCTIONAL_KEYS), "super+a", "hyper+left", "super+ctrl+c", "caps_lock", "num_lock",
    "scroll_lock",
    "print_screen", "pause", "media_play", "raise_volume", "f25", "f35", "<any>", "<ignore>",
    "<scroll-up>", "", "+a",
    "no_such_key", "ctrl+no_such_key", "ctrl+", "a+", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("key", NOTHING)
def test_what_is_not_sent(key: str) -> None:
    assert encode(key, None, PLAIN) is None


def test_no_name_of_textuals_fails() -> None:
    names = {key.value for key in Keys} | set(FUNCTIONAL_KEYS.values())
    for keys in ANSI_SEQUENCES_KEYS.values():
        names |= {key.value for key in keys} if isinstance(keys, tuple) else set()
    names |= {_character_to_key(chr(code)) for code in range(0x3000)}
    modifiers = ("alt", "ctrl", "hyper", "meta", "shift", "super")
    for name in names:
        for number in range(3):
            for chosen in combinations(modifiers, number):
                sent = encode("+".join((*chosen, name)), None, PLAIN)
                assert sent is None or 0 < len(sent) <= 8


ANOTHER_WAY = {
    "return": "enter", "ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+m": "enter", "shift+escape": "escape",
    "ctrl-at": "ctrl+@", **{f"{ctrl}f{number}": None for number in range(13, 25) for ctrl in ("",
    "ctrl+")}, "ctrl+f3": None,
    **{f"ctrl+{number}": None for number in range(10)},
    **{f"ctrl+shift+{number}": None for number in range(10)},
    "shift+insert": None, "ctrl+insert": None, "ctrl+shift+insert": None, "ctrl+shift+delete": None,
}  # fmt: skip
"""Keys without bytes of their own (F24 is Shift+F12), and bytes of xterm's that Textual reads otherwise."""


@pytest.mark.parametrize("key", [key.value for key in Keys if not key.value.startswith("<")])
def test_textual_itself_reads_the_key_from_what_is_sent(key: str) -> None:
    sent = encode(key, None, PLAIN)
    assert sent is not None
    expected = ANOTHER_WAY.get(key, key)
    if expected is not None:
        parser = XTermParser()
        read = [*parser.feed(sent.decode()), *parser.feed("")]
        assert [event.key for event in read if isinstance(event, events.Key)] == [expected]


def test_textual_is_not_needed() -> None:
    code = (
        "import sys, pilot.console.keys, pilot.console.mouse, pilot.console.paste;"
        "sys.exit(bool({'textual', 'bittty'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
