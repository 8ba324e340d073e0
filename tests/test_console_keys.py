"""What keys mean at a console in a plain terminal, however they are cut into packets."""

from __future__ import annotations

import pytest

from pilot.console_keys import Keys, Meant, control, help_words, shown
from pilot.people import who
from pilot.wire import MAX_CHAT, Person, Presence


def meant(*packets: bytes) -> list[Meant]:
    keys = Keys()
    return [one for packet in packets for one in keys.feed(packet)]


def test_most_keys_are_the_guests() -> None:
    every = bytes(set(range(256)) - {0x1D, 0x1E})
    assert meant(every) == [Meant("type", every)]


def test_ctrl_bracket_leaves_at_once() -> None:
    assert meant(b"ls\r\x1dnever") == [Meant("type", b"ls\r"), Meant("leave")]


@pytest.mark.parametrize(
    ("key", "what"),
    [(b"w", "who"), (b"t", "take"), (b"j", "join"), (b"r", "release"), (b"?", "help"), (b"\r", "help")],
)
def test_commands(key: bytes, what: str) -> None:
    assert [one.what for one in meant(b"a\x1e", key + b"b")] == ["type", what, "type"]


def test_the_two_keys_can_be_typed() -> None:
    assert meant(b"\x1e\x1e\x1e\x1d") == [Meant("type", b"\x1e"), Meant("type", b"\x1d")]


def test_a_line_for_the_others() -> None:
    found = meant(b"\x1es", "hé".encode()[:2], "hé".encode()[2:] + b"x\x7fllo\x07\r", b"ls\r")
    assert [one for one in found if one.what != "echo"] == [
        Meant("say", b"\x1b[0m\r\n", "héllo"),
        Meant("type", b"ls\r"),
    ]
    echo = b"".join(one.data for one in found if one.what == "echo")
    assert echo == "\r\n\x1b[2msay: héx\b \bllo".encode()


@pytest.mark.parametrize("end", [b"\x03", b"\x1b"])
def test_a_line_that_is_not_said(end: bytes) -> None:
    assert [one.what for one in meant(b"\x1esab" + end + b"x")] == ["echo"] * 4 + ["type"]


@pytest.mark.parametrize("key", [b"\x1b[A", b"\x1bOP", b"\x1b[1;5C", b"\x1b[200~"])
def test_keys_that_come_as_sequences_write_no_line_and_are_not_the_guests(key: bytes) -> None:
    found = meant(b"\x1esa" + key + b"b\rls", key)
    assert [one for one in found if one.what != "echo"] == [
        Meant("say", b"\x1b[0m\r\n", "ab"),
        Meant("type", b"ls"),
        Meant("type", key),
    ]


def test_a_line_is_bounded_and_can_be_left() -> None:
    found = meant(b"\x1es" + b"a" * 1000 + b"\r")
    assert len(found[-1].text) == MAX_CHAT
    assert meant(b"\x1es" + b"a\x1db")[-1] == Meant("leave")


def test_who_is_here() -> None:
    people = (
        Person(3, "ann", True, 10.0, 90.0, True),
        Person(4, "bob", True, 10.0, 99.0, True),
        Person(9, "eve", False, 10.0, 0.0, False),
    )
    told = who(Presence(people, 4, 100.0))
    assert told == "ann types, idle for 10 s; bob (you) types; eve watches"


def test_another_prefix_and_a_break() -> None:
    keys = Keys(0x14, breaks=True)
    found = [one for packet in (b"a\x1ew\x14b\x14\x14", b"\x1d") for one in keys.feed(packet)]
    assert [(one.what, one.data) for one in found] == [
        ("type", b"a\x1ew"),
        ("break", b""),
        ("type", b"\x14"),
        ("leave", b""),
    ]
    assert [one.what for one in meant(b"\x1eb")] == ["help"], "stock ssh has no break"


def test_no_prefix_at_all() -> None:
    keys = Keys(None)
    assert list(keys.feed(b"\x1ew\x14\x1d")) == [Meant("type", b"\x1ew\x14"), Meant("leave")]


@pytest.mark.parametrize(
    ("name", "key"), [("ctrl+t", 0x14), ("Ctrl+^", 0x1E), ("ctrl+_", 0x1F), ("ctrl+@", 0), ("none", None)]
)
def test_a_prefix_by_name(name: str, key: int | None) -> None:
    assert control(name) == key
    assert key is None or shown(key).lower() == name.lower()
    assert "Ctrl+] leaves" in help_words(key)
    assert key is None or shown(key) in help_words(key)


@pytest.mark.parametrize("name", ["ctrl+]", "t", "ctrl+tt", "", "ctrl+1", "alt+t", "ctrl+é"])
def test_what_is_no_prefix(name: str) -> None:
    with pytest.raises(ValueError, match="no such key"):
        control(name)
