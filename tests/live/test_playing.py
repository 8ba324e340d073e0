"""Recordings played: pace, seeks, markers, sizes, and files that are damaged."""

from __future__ import annotations

import io
import random

import pytest

from pilot.asciicast import Encoder, Event, Header
from pilot.console.bittty_engine import BitttyEngine
from pilot.errors import CastError
from pilot.live import playing
from pilot.live.playing import Player, look_through

EVENTS = (
    Event(0.0, "o", "one\r\n"),
    Event(2.0, "m", "booted\x1b[2J"),
    Event(2.0, "o", "two\r\n"),
    Event(3.0, "r", "100x30"),
    Event(100.0, "o", "three\r\n"),
    Event(101.0, "m", "ready"),
    Event(104.0, "o", "four"),
)


def cast(*events: Event, version: int = 3) -> bytes:
    encoder = Encoder(Header(40, 10, version=version))
    return encoder.header() + b"".join(map(encoder.event, events))


class Playing:
    """A player on a clock that stands until it is moved."""

    def __init__(self, data: bytes, idle: float = float("inf"), speed: float = 1.0) -> None:
        self.now = 50.0
        file = io.BytesIO(data)
        self.engine = BitttyEngine(80, 24)
        contents = look_through(file, idle)
        self.player = Player(file, contents, self.engine, idle=idle, speed=speed, clock=lambda: self.now)
        self.settle()

    def settle(self) -> None:
        while self.player.step(60.0) or self.player.seeking:
            pass

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    @property
    def text(self) -> list[str]:
        lines = (self.engine.text(number) for number in range(self.engine.history + self.engine.rows))
        return [line for line in lines if line]


@pytest.mark.parametrize("version", [2, 3])
def test_played_at_its_pace(version: int) -> None:
    it = Playing(cast(*EVENTS, version=version))
    assert (it.engine.columns, it.engine.rows, it.text) == (40, 10, ["one"])
    it.wait(1.9)
    assert it.text == ["one"]
    it.wait(0.2)
    assert it.text == ["one", "two"]
    it.wait(1)
    assert (it.engine.columns, it.engine.rows) == (100, 30)
    it.wait(200)
    assert it.text == ["one", "two", "three", "four"]
    assert it.player.ended
    assert it.player.position == it.player.contents.duration == pytest.approx(104)


def test_pause_speed_and_from_the_beginning_again() -> None:
    it = Playing(cast(*EVENTS), speed=2.0)
    it.wait(0.5)
    assert it.player.position == pytest.approx(1.0)
    it.player.pause(True)
    it.wait(1000)
    assert it.player.position == pytest.approx(1.0)
    it.player.change_speed(9)
    it.player.pause(False)
    it.wait(1)
    assert it.player.speed == 16.0
    assert it.player.position == pytest.approx(17.0)
    it.wait(100)
    assert it.player.ended
    it.player.pause(False)
    it.settle()
    assert (it.player.position, it.text) == (0.0, ["one"])


def test_pauses_are_cut_short() -> None:
    it = Playing(cast(*EVENTS), idle=1.0)
    assert it.player.contents.duration == pytest.approx(5.0)
    it.wait(3.1)
    assert it.text == ["one", "two", "three"]


def test_seeks_and_markers() -> None:
    it = Playing(cast(*EVENTS))
    it.player.pause(True)
    assert it.player.contents.markers[0] == (2.0, "booted\N{REPLACEMENT CHARACTER}[2J")
    assert it.player.skip_marker(1)
    assert it.player.skip_marker(1)
    it.settle()
    assert (it.player.position, it.text[-1]) == (101.0, "three")
    assert not it.player.skip_marker(1)
    it.player.seek(50)
    it.settle()
    assert (it.text, it.engine.columns, it.player.position) == (["one", "two"], 100, 50.0)
    assert it.player.skip_marker(-1)
    it.settle()
    assert (it.text, it.engine.columns) == (["one", "two"], 40)
    it.player.skip(-99)
    it.settle()
    assert it.text == ["one"]


def test_what_takes_long_is_printed_in_turns() -> None:
    it = Playing(cast(Event(0, "o", "a"), Event(5, "o", "b\r\n" * 100_000), Event(6, "o", "end")))
    it.player.seek(6)
    turns = 0
    while it.player.seeking:
        it.player.step(0.0)
        turns += 1
    assert turns > 100
    assert it.text[-1] == "end"


@pytest.mark.parametrize(
    "line", [b"[1,2,3]\n", b"[-1,\"o\",\"a\"]\n", b"[" * 9000 + b"\n", b'[1,"r","0x0"]\n', b"x" * 2_000_000]
)  # fmt: skip
def test_a_damaged_file_is_played_up_to_the_damage(line: bytes) -> None:
    it = Playing(cast(*EVENTS[:3]) + line + b'[1,"o","never"]\n')
    it.wait(1000)
    assert it.text == ["one", "two"]
    assert it.player.ended
    assert "line 5" in it.player.trouble


def test_a_file_that_is_still_written_is_played_up_to_its_last_whole_line() -> None:
    it = Playing(cast(*EVENTS[:3]) + b'[1,"o","nev')
    it.wait(1000)
    assert (it.text, it.player.trouble) == (["one", "two"], "")


def test_a_file_that_changes_while_it_is_played_ends_it_with_words() -> None:
    it = Playing(cast(*EVENTS))
    it.wait(3)
    file = it.player._file
    file.seek(0)
    file.write(b"{}" * 40)
    it.player.seek(0)
    it.settle()
    assert "is no event" in it.player.trouble


def test_a_seek_back_prints_little_again_and_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "KEPT_EVERY", 200)
    monkeypatch.setattr(playing, "MOST_KEPT", 12)
    chance = random.Random(5)
    pieces = (
        "words ",
        "\r\n",
        "\x1b[3%dm",
        "\x1b[2;5H",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[J",
        "\x1b[1",
        "é",
    )
    events = [Event(float(n), "o", "".join(chance.choices(pieces, k=8))) for n in range(300)]
    events[100:100] = [Event(99.5, "r", "60x12")]
    data = cast(*events)
    it = Playing(data, idle=1.0)
    it.player.pause(True)
    printed = 0
    feed = it.engine.feed

    def counted(part: bytes) -> None:
        nonlocal printed
        printed += len(part)
        feed(part)

    monkeypatch.setattr(it.engine, "feed", counted)
    for _ in range(20):
        place = chance.uniform(0, 299)
        it.player.seek(place)
        it.settle()
        fresh = Playing(data, idle=1.0)
        fresh.player.pause(True)
        fresh.player.seek(place)
        fresh.settle()
        assert (it.text, it.engine.cursor, it.engine.modes) == (
            fresh.text,
            fresh.engine.cursor,
            fresh.engine.modes,
        )
        assert (it.engine.columns, it.engine.rows) == (fresh.engine.columns, fresh.engine.rows)
    it.player.seek(299)
    it.settle()
    before = printed
    for place in range(298, 200, -1):
        it.player.seek(float(place))
        it.settle()
    assert printed - before < 99 * 2000


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "KEPT_EVERY", 50)
    monkeypatch.setattr(playing, "MOST_KEPT", 8)
    it = Playing(cast(*(Event(float(n), "o", f"line {n}\r\n") for n in range(500))))
    it.wait(1000)
    kept = it.player._kept
    assert 4 <= len(kept) <= 8
    assert kept[0].reached == 0.0
    assert kept[-1].reached > 300


def test_what_is_no_recording_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"", b"\x00\xff\n", b'{"version":4}\n', b'{"version":3,"term":{"cols":9999999,"rows":1}}\n'):
        with pytest.raises(CastError, match="line 1"):
            look_through(io.BytesIO(data))
    monkeypatch.setattr(playing, "MOST_BYTES", 10)
    with pytest.raises(CastError, match="more than"):
        look_through(io.BytesIO(cast(*EVENTS)))
