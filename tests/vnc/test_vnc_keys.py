"""From names of keys and text to what is pressed."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.errors import UsageError
from pilot.vnc.keyboard import NAMED, PRINTING
from pilot.vnc.keys import COMBINATIONS, MAX_TEXT, Stroke, combination, stroke, strokes

SHIFT, CTRL, ALT, SUPER = 0x2A, 0x1D, 0x38, 0xE05B


def codes(pressed: Stroke | None) -> list[int]:
    assert pressed is not None
    return [key.scancode for key in pressed.keys]


@pytest.mark.parametrize(
    ("name", "character", "expected"),
    [
        ("a", "a", [0x1E]),
        ("A", "A", [SHIFT, 0x1E]),
        ("upper_a", "A", [SHIFT, 0x1E]),
        ("1", "1", [0x02]),
        ("exclamation_mark", "!", [SHIFT, 0x02]),
        ("at", "@", [SHIFT, 0x03]),
        ("left_square_bracket", "[", [0x1A]),
        ("backslash", "\\", [0x2B]),
        ("vertical_line", "|", [SHIFT, 0x2B]),
        ("grave_accent", "`", [0x29]),
        ("plus", "+", [SHIFT, 0x0D]),
        ("space", " ", [0x39]),
        ("enter", "\r", [0x1C]),
        ("tab", "\t", [0x0F]),
        ("shift+tab", None, [SHIFT, 0x0F]),
        ("backtab", None, [SHIFT, 0x0F]),
        ("escape", "\x1b", [0x01]),
        ("backspace", "\x7f", [0x0E]),
        ("delete", None, [0xE053]),
        ("up", None, [0xE048]),
        ("ctrl+shift+left", None, [CTRL, SHIFT, 0xE04B]),
        ("pageup", None, [0xE049]),
        ("f1", None, [0x3B]),
        ("f12", None, [0x58]),
        ("shift+f10", None, [SHIFT, 0x44]),
        ("ctrl+c", "\x03", [CTRL, 0x2E]),
        ("ctrl+at", "\x00", [CTRL, SHIFT, 0x03]),
        ("ctrl-at", "\x00", [CTRL, SHIFT, 0x03]),
        ("ctrl+backslash", "\x1c", [CTRL, 0x2B]),
        ("ctrl+underscore", "\x1f", [CTRL, SHIFT, 0x0C]),
        ("ctrl+alt+delete", None, [CTRL, ALT, 0xE053]),
        ("alt+x", None, [ALT, 0x2D]),
        ("shift+a", "A", [SHIFT, 0x1E]),
        ("super+l", None, [SUPER, 0x26]),
        ("print_screen", None, [0xE037]),
        ("caps_lock", None, [0x3A]),
    ],
)
def test_a_terminals_key_is_pressed(name: str, character: str | None, expected: list[int]) -> None:
    assert codes(stroke(name, character)) == expected


@pytest.mark.parametrize("name", ["left_shift", "right_control", "shift", "hyper+a", "nothing_known", ""])
def test_modifiers_alone_and_unknown_keys_are_nothing(name: str) -> None:
    assert stroke(name) is None


def test_a_character_that_no_key_makes_goes_by_its_keysym() -> None:
    pressed = stroke("latin_small_letter_e_with_acute", "é")
    assert pressed is not None
    assert not pressed.typable
    assert [key.keysym for key in pressed.keys] == [0xE9]
    pressed = stroke("euro_sign", "€")
    assert pressed is not None
    assert [key.keysym for key in pressed.keys] == [0x010020AC]


def test_keys_go_up_in_the_reverse_of_their_order() -> None:
    assert [(key.scancode, down) for key, down in combination("ctrl+alt+f2").presses()] == [
        (CTRL, True), (ALT, True), (0x3C, True), (0x3C, False), (ALT, False), (CTRL, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ctrl+alt+del", [CTRL, ALT, 0xE053]),
        ("Ctrl + Alt + F7", [CTRL, ALT, 0x41]),
        ("alt+sysrq+h", [ALT, 0x54, 0x23]),
        ("super", [SUPER]),
        ("ctrl++", [CTRL, SHIFT, 0x0D]),
        ("shift", [SHIFT]),
        ("esc", [0x01]),
    ],
)
def test_keys_are_found_by_what_people_write(words: str, expected: list[int]) -> None:
    assert codes(combination(words)) == expected


@pytest.mark.parametrize("words", ["", "ctrl+", "ctrl+what", "é", "ctrl++alt+f1"])
def test_what_is_no_key_is_said(words: str) -> None:
    with pytest.raises(UsageError, match="no key is called"):
        combination(words)


def test_the_menu_has_what_terminals_keep_for_themselves() -> None:
    titles = {entry.title: entry for entry in COMBINATIONS}
    assert len(titles) == len(COMBINATIONS)
    assert codes(titles["Ctrl+Alt+Del"].stroke) == [CTRL, ALT, 0xE053]
    assert codes(titles["Ctrl+Alt+F12"].stroke) == [CTRL, ALT, 0x58]
    assert all(entry.stroke.typable for entry in COMBINATIONS)
    assert {
        entry.title[-1] for entry in COMBINATIONS if entry.kind == "sysrq" and not entry.dangerous
    } == set("hmtwlpqr")
    assert titles["Alt+SysRq+b"].dangerous
    assert titles["Ctrl+Alt+Del"].dangerous
    assert not titles["Super"].dangerous


def test_every_printing_key_of_the_keyboard_is_there() -> None:
    assert set(PRINTING) == set(string.printable) - set("\t\n\r\v\f")
    assert len({(code, shifted) for code, shifted in PRINTING.values()}) == 95
    used = {code for code, _ in PRINTING.values()}
    assert len(used) == 48
    assert not used & {key.scancode for key in NAMED.values()}


def test_text_is_typed_with_shift_where_it_takes_it() -> None:
    typing = strokes("Hi, \tü!\r\nx\n")
    assert [codes(each) for each in typing.strokes] == [
        [SHIFT, 0x23], [0x17], [0x33], [0x39], [0x0F], [SHIFT, 0x02], [0x1C], [0x2D], [0x1C],
    ]  # fmt: skip
    assert typing.missing == "ü"


def test_caps_lock_turns_shift_round_for_letters_only() -> None:
    assert [codes(each) for each in strokes("aA1!", caps_lock=True).strokes] == [
        [SHIFT, 0x1E], [0x1E], [0x02], [SHIFT, 0x02],
    ]  # fmt: skip


def test_no_text_is_typed_without_end() -> None:
    assert len(strokes("y" * (MAX_TEXT + 1)).strokes) == MAX_TEXT


@given(st.text())
def test_any_text_is_typed_or_said_to_be_missing(text: str) -> None:
    typing = strokes(text)
    assert all(each.typable for each in typing.strokes)
    assert len(set(typing.missing)) == len(typing.missing)
    typed = sum(character not in typing.missing for character in text.replace("\r\n", "\n"))
    assert len(typing.strokes) == typed


@given(st.text(max_size=20), st.one_of(st.none(), st.characters()))
def test_any_name_is_a_stroke_or_nothing(name: str, character: str | None) -> None:
    pressed = stroke(name, character)
    if pressed is not None:
        assert pressed.keys
        assert len(set(pressed.keys)) == len(pressed.keys)


def test_all_unicode_names_that_fit_a_key_find_it() -> None:
    for character in string.punctuation:
        name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
        assert codes(stroke(name, character))[-1] == PRINTING[character][0]
