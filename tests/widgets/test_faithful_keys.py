"""From a terminal's bytes to the guest's, through Textual's parser: nothing is lost on the way."""

from __future__ import annotations

import pytest
from textual import events

from pilot.console import keys
from pilot.console.engine import Modes
from pilot.widgets.faithful_keys import FaithfulParser, ordinary


def _parsed(typed: str) -> list[events.Key]:
    parser = FaithfulParser(False)
    # The empty string is how the driver says that nothing came for a while.
    found = [*parser.feed(typed), *parser.feed("")]
    return [event for event in found if isinstance(event, events.Key)]


def _sent(typed: str) -> bytes:
    return b"".join(keys.encode(key.key, key.character, Modes()) or b"?" for key in _parsed(typed))


PLAIN = [chr(code) for code in range(128)] + ["é", "ß", "漢", "😀"]
ALT = [f"\x1b{chr(code)}" for code in range(128)]
MODIFIED = [f"\x1b[1;{m}{c}" for m in range(2, 9) for c in "ABCDHFPQS"]
EDITING = [f"\x1b[{n};{m}~" for n in (2, 3, 5, 6, 15, 17, 24) for m in range(2, 9)]
FUNCTION = [f"\x1b[{n}~" for n in (2, 3, 5, 6, 15, 17, 18, 19, 20, 21, 23, 24)] + [
    f"\x1bO{c}" for c in "PQRS"
]


@pytest.mark.parametrize("typed", PLAIN + ALT + MODIFIED + EDITING + FUNCTION, ids=ascii)
def test_what_is_typed_is_what_the_guest_gets(typed: str) -> None:
    assert _sent(typed) == typed.encode()


@pytest.mark.parametrize("typed", ["\x1b:wq", "\x1b:q!\r", "\x1b1", "a\x1b.b", "\x1b\x7fx", "\x08\x08"])
def test_keys_close_behind_an_escape_are_what_they_are(typed: str) -> None:
    assert _sent(typed) == typed.encode()


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("\x08", ["backspace"]),
        ("\x1b:", ["escape", "colon"]),
        ("\x1bp", ["escape", "p"]),
        ("\x1bP", ["escape", "P"]),
        ("\x1b\r", ["escape", "enter"]),
        ("a", ["a"]),
        ("\x1b[A", ["up"]),
    ],
)
def test_our_own_widgets_see_escape_and_the_key(typed: str, names: list[str]) -> None:
    assert [key.key for parsed in _parsed(typed) for key in ordinary(parsed)] == names


def test_focus_mouse_and_paste_are_still_told_apart() -> None:
    parser = FaithfulParser(False)
    found = [type(event) for event in parser.feed("\x1b[I\x1b[200~text\x1b[201~\x1b[<0;3;4M")]
    assert events.AppFocus in found
    assert events.Paste in found
    assert events.MouseDown in found
