"""The ring: what it keeps, where it begins, and that the screen is right when it is shown again."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.agent.consoles.ring import CAPACITY, Ring
from pilot.agent.consoles.tracker import ModeTracker
from pilot.wire import MAX_CONSOLE_CHUNK
from tests.agent.consoles.recordings import LEAST, boot_log, record
from tests.agent.consoles.screen import Screen, Shown


def content(ring: Ring, offset: int | None = None) -> bytes:
    at = ring.start if offset is None else offset
    out = bytearray()
    while at < ring.end:
        data = ring.read(at, MAX_CONSOLE_CHUNK)
        assert 0 < len(data) <= MAX_CONSOLE_CHUNK
        out += data
        at += len(data)
    return bytes(out)


def replay(ring: Ring, back: int | None = None) -> bytes:
    entry = ring.entry(back)
    return entry.prelude + content(ring, entry.offset)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 90_000), max_size=20), st.integers(0, 300_000))
def test_it_keeps_the_last_bytes_in_order(sizes: list[int], capacity: int) -> None:
    ring, stream, chance = Ring(capacity), b"", random.Random(len(sizes))
    for size in sizes:
        data = chance.randbytes(size)
        stream += data
        ring.append(data)
    kept = content(ring)
    assert ring.end == len(stream)
    assert stream.endswith(kept)
    assert min(len(stream), capacity) <= len(kept) <= capacity + MAX_CONSOLE_CHUNK


def test_nothing_is_put_in_front_of_a_ring_that_is_whole() -> None:
    ring = Ring()
    ring.append(b"\x1b[31mred")
    assert replay(ring) == b"\x1b[31mred"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with Screen(tmp_path_factory.mktemp("screen")) as made:
        yield made


@pytest.fixture(scope="module")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "program.py"
    lines = [
        f"def function_{n}(größe: int = {n}) -> str:\n    return f'{{größe}} ─ {n * n}'  # line {n}\n"
        for n in range(900)
    ]
    path.write_text("".join(lines))
    return path


VIM = ("vim", "-u", "NONE", "-i", "NONE", "-n", "-c", "syntax on", "-c", "set filetype=python number")


@pytest.fixture(scope="module")
def recordings(text_file: Path) -> dict[str, bytes]:
    """What several programs print, long enough that most of it falls out of a small ring."""
    pages = [b"\x06"] * 16
    return {
        "boot log": boot_log(4000),
        "vim": record([*VIM, str(text_file)], [*pages, b"5\x19", b"ihello \x1b", b"dd", b"G", b"gg", *pages]),
        "vim on a vt220": record([*VIM, str(text_file)], [*pages, b"/line 700\r", b"x"], term="vt220"),
        "busybox vi": record(
            ["busybox", "vi", str(text_file)], [*pages, *pages, b"dd", b"/line 300\r"], term="vt100"
        ),
        "less": record(["less", str(text_file)], [b" "] * 25 + [b"\x1bOA"] * 8 + [b"j"] * 6),
        "top": record(["top", "-d", "0.03"], [b"1"] * 2, deadline=1.5),
        "busybox top": record(["busybox", "top", "-d", "1"], [b" "] * 14, term="linux"),
        "shell": record(
            ["busybox", "sh"], [b"seq 1 3000\r", b"ls --color=always -C /usr/bin\r", b"echo done\r"]
        ),
    }


NAMES = ("boot log", "vim", "vim on a vt220", "busybox vi", "less", "top", "busybox top", "shell")


@pytest.mark.parametrize("name", NAMES)
def test_the_screen_is_right_when_a_cut_ring_is_shown(
    screen: Screen, recordings: dict[str, bytes], name: str
) -> None:
    stream = recordings[name]
    assert len(stream) > LEAST, "too little was recorded"
    whole = screen.show(stream)
    for seed in range(4):
        ring = cut_ring(stream, random.Random(seed))
        assert ring.start > 1000
        shown = screen.show(replay(ring))
        if name == "top":
            # It does not print lines again that stay the same: they may be missing, but nothing is wrong.
            assert shown[1:] == whole[1:]
            pairs = zip(characters(shown), characters(whole), strict=True)
            assert [pair for pair in pairs if pair[0] not in ("", pair[1])] == [], f"way {seed}"
        else:
            assert shown == whole, f"{name}, way {seed}"


def characters(shown: Shown) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.lines).split("\n")


def cut_ring(stream: bytes, chance: random.Random) -> Ring:
    """A ring with the last 12 to 16 KiB of a stream, cut anywhere."""
    ring = Ring(chance.randint(12_000, 16_000), piece=chance.randint(100, 1000))
    at = 0
    while at < len(stream):
        size = chance.randint(1, 3000)
        ring.append(stream[at : at + size])
        at += size
    return ring


def test_a_character_and_a_sequence_cut_in_two_are_made_whole(screen: Screen) -> None:
    for cut in ("─".encode(), b"\x1b[1;31m", b"\x1b]2;title\x1b\\", b"\x1b(0"):
        for at in {1, len(cut) // 2, len(cut) - 1}:
            ring = Ring(1000)
            lead = MAX_CONSOLE_CHUNK - at
            ring.append(b"\x1b[44m" + b"x" * (lead - 5))
            ring.append(
                cut + b"behind" + b"y" * (MAX_CONSOLE_CHUNK - (len(cut) - at) - 6 - 20) + b"\r\nq" * 30
            )
            ring.append(b"z")
            shown = replay(ring)
            assert ring.start == MAX_CONSOLE_CHUNK
            assert "\N{REPLACEMENT CHARACTER}" not in shown.decode(errors="replace")
            assert cut in shown
            assert screen.show(shown).lines == screen.show(b"\x1b[44m" + cut + b"\r\nq" * 30 + b"z").lines


def test_no_append_follows_more_than_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    feed = ModeTracker.feed

    def counted(self: ModeTracker, data: bytes) -> None:
        fed.append(len(data))
        feed(self, data)

    monkeypatch.setattr(ModeTracker, "feed", counted)
    ring = Ring()
    for size in (1, 100, 4096, 16384, 16384, 16384, 1, 16384, 16384):
        fed.clear()
        ring.append(b"x" * size)
        assert sum(fed) == size


def test_many_who_begin_at_the_same_place_look_for_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring(64 * 1024)
    log = boot_log(8000)
    ring.append(log)
    first = ring.entry()
    monkeypatch.setattr(Ring, "_look", lambda *_: pytest.fail("looked again"))
    assert [ring.entry() for _ in range(100)] == [first] * 100
    monkeypatch.undo()
    ring.append(log)
    assert ring.entry().offset > first.offset


def test_a_thousand_quiet_consoles_cost_what_they_printed() -> None:
    log = boot_log(200)
    rings = [Ring() for _ in range(1000)]
    for ring in rings:
        ring.append(log)
    used = sum(sys.getsizeof(ring) + sys.getsizeof(ring._tail) for ring in rings)
    assert used < 1000 * (len(log) * 1.2 + 500)
    assert CAPACITY == 1024 * 1024
