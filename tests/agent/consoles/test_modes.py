"""Terminal modes: what is followed, against tmux as the judge."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.agent.consoles import tracker as tracker_module
from pilot.agent.consoles.draft import Draft, Pen
from pilot.agent.consoles.modes import AT_REST, RESET, Modes
from pilot.agent.consoles.tracker import ModeTracker
from tests.agent.consoles.screen import Screen

SEQUENCES = [
    b"\x1b[1m", b"\x1b[31;44m", b"\x1b[0m", b"\x1b[m", b"\x1b[38;5;200m", b"\x1b[38;2;1;2;3m",
    b"\x1b[22;24m", b"\x1b[4:3m", b"\x1b[7m", b"\x1b[27m", b"\x1b[0;32m", b"\x1b[39;49m",
    b"\x1b[1;0;33m", b"\x1b[3r", b"\x1b[r", b"\x1b[5;20r", b"\x1b[1;10r", b"\x1b[?6h", b"\x1b[?6l",
    b"\x1b[?7l", b"\x1b[?7h", b"\x1b[?25l", b"\x1b[?25h", b"\x1b[?1h", b"\x1b[?1l", b"\x1b=",
    b"\x1b>", b"\x1b[4h", b"\x1b[4l", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?1000h",
    b"\x1b[?1002;1006h", b"\x1b[?1003h", b"\x1b[?1002l", b"\x1b[?1006l", b"\x1b[?2004h", b"\x1b(0",
    b"\x1b(B", b"\x1b)0", b"\x0e", b"\x0f", b"\x1b7", b"\x1b8", b"\x1bc", b"\x1b[?12;25l", b"text",
    b"\r\n", b"\x1b[H", b"\x1b[12;40H", b"\x1b[K", b"\x1b[2J", b"\x1b]0;\x1b\\",
    b"\x1b]2;title [31m\x07", b"\x1bP+q544e\x1b\\", b"\xe2\x94\x80", b"\x1b[5n", b"\x1b[>c",
    b"\x1b[2 q", b"\x1bM", b"\x1b[3;9",
]  # fmt: skip
"""Pieces of streams; the last one is a sequence that is broken off by what follows."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with Screen(tmp_path_factory.mktemp("screen")) as made:
        yield made


def modes_after(*pieces: bytes) -> Modes:
    tracker = ModeTracker()
    for piece in pieces:
        tracker.feed(piece)
    return tracker.modes


@given(st.lists(st.sampled_from(SEQUENCES), max_size=30), st.data())
def test_how_the_stream_is_cut_does_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    whole, cut = ModeTracker(), ModeTracker()
    whole.feed(stream)
    for start, end in itertools.pairwise(edges):
        cut.feed(stream[start:end])
    assert cut.modes == whole.modes
    assert cut.pending == whole.pending


SLOW = [
    b"\x0e", b"\x0f", b"\x0ea\x0fb", b"\x1b7", b"\x1b8", b"\x1bn", b"\x1bo", b"\x1b[?6h", b"\x1b[?6l",
    b"\x1b(0", b"\x1b[31m", b"\x1b[38;5;3m", b"\x1b[1m", b"\x1b[38m", b"\x1b[?1049h",
    b"\x1b[?1049l", b"\x1b[!p", b"\x1bc", b"\x1b]x\x0e\x07", b"\x1b]\x0ey\x1b\\",
]  # fmt: skip
"""What is taken in runs, and what may come between."""


@given(st.lists(st.sampled_from(SLOW), max_size=40))
def test_runs_have_the_effect_of_their_parts(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    single = [stream[at : at + 1] for at in range(len(stream))]
    # Behind it all, what was saved shows too.
    for probe in (b"", b"\x1b8"):
        assert modes_after(stream + probe) == modes_after(*single, probe)


ADVERSARIAL = {
    "shifts": b"\x0e\x0f",
    "shifts in text": b"\x0ea\x0fb",
    "save and restore": b"\x1b7\x1b8",
    "save, restore, text": b"\x1b7a\x1b8b",
    "save and render": b"\x1b7\x1b[1m\x1b8",
    "charsets": b"\x1b(0\x1b(B",
    "a private mode": b"\x1b[?1h\x1b[?1l",
    "many private modes": b"\x1b[?" + b"1;7;" * 8000 + b"1h",
    "alternate screens": b"\x1b[?1049h\x1b[?1049l",
    "all attributes": b"".join(
        b"\x1b[%dm" % code for code in (*range(1, 10), 21, *range(51, 54), 11, 31, 41)
    ),
    "colours": b"".join(b"\x1b[38;5;%dm\x1b[48;2;1;2;%dm" % (n, n) for n in range(4000)),
    "a long rendition": b"\x1b[" + b"1;31;" * 4000 + b"m",
    "resets": b"\x1bc",
    "keypad": b"\x1b=\x1b>",
    "strings": b"\x1b]",
    "regions": b"".join(b"\x1b[%d;%dr" % (n % 20 + 2, n) for n in range(3000)),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_what_a_guest_prints_to_be_slow_to_follow_is_bounded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"modes": 0, "steps": 0}

    class Counted(Draft):
        __slots__ = ()

        def __init__(self, modes: Modes, saved: Pen | None) -> None:
            calls["modes"] += 1
            super().__init__(modes, saved)

    apply = tracker_module._apply

    def counted(draft: Draft, kind: int, match: re.Match[bytes]) -> None:
        calls["steps"] += 1
        apply(draft, kind, match)

    monkeypatch.setattr(tracker_module, "Draft", Counted)
    monkeypatch.setattr(tracker_module, "_apply", counted)
    size = 16 * 1024
    pattern = ADVERSARIAL[name]
    tracker = ModeTracker()
    tracker.feed((pattern * (size // len(pattern) + 1))[:size])
    assert calls["modes"] == 1, "values are made once a stretch, not once a sequence"
    assert calls["steps"] <= size // 2
    if name in ("shifts", "shifts in text", "save and restore"):
        assert calls["steps"] <= 2
    assert len(tracker.modes.enter()) < 1000, "and so is what it takes to bring it back"


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(SEQUENCES)), max_size=20))
def test_any_bytes_are_taken_and_their_modes_can_be_entered_and_left(pieces: list[bytes]) -> None:
    modes = modes_after(*pieces)
    assert modes_after(modes.enter()) == modes
    assert modes_after(modes.enter(), modes.leave()) == AT_REST
    assert modes_after(*pieces, RESET) == AT_REST


@pytest.mark.parametrize("seed", range(40))
def test_tmux_agrees_on_the_modes_of_a_random_stream(screen: Screen, seed: int) -> None:
    chance = random.Random(seed)
    # Leaving the alternate screen restores origin mode and character sets, and a full reset leaves it,
    # in xterm but not in tmux.
    disputed = (b"?1049",) if seed % 2 else (b"?6", b"\x1b(", b"\x1b)", b"\x0e", b"\x0f", b"\x1bc")
    pieces = [piece for piece in SEQUENCES[:-1] if not any(part in piece for part in disputed)]
    stream = b"".join(chance.choices(pieces, k=40))
    probe = b"\x1b[3;3Hqqq\x1b[4;4Hx"
    # A screen with the modes that were followed, and the one that has seen it all, draw the same.
    seen = screen.show(stream + b"\x1b[H\x1b[2J" + probe)
    entered = screen.show(modes_after(stream).enter() + b"\x1b[H\x1b[2J" + probe)
    assert entered == seen, stream


def test_a_terminal_is_put_at_rest_from_any_state(screen: Screen) -> None:
    stream = b"".join(SEQUENCES) + b"\x1b[?1049h\x1b[5;9r\x1b[?6h\x1b[4h\x0e\x1b)0\x1b[31m\x1b]2;broken off"
    probe = b"\x1b[H\x1b[2Jqx\x1b[5;5Hqx"
    assert screen.show(stream + RESET + probe) == screen.show(probe)


def test_long_renditions_are_boiled_down() -> None:
    tracker = ModeTracker()
    for number in range(200):
        tracker.feed(b"\x1b[38;5;%dm\x1b[48;2;1;%d;3m\x1b[1m\x1b[22m\x1b[4m" % (number, number))
    assert len(tracker.modes.rendition) <= 16
    assert modes_after(b"\x1b[4;38;5;199;48;2;1;199;3m" * 17) == modes_after(
        b"\x1b[4;38;5;199;48;2;1;199;3m" * 18
    )


def test_a_control_string_without_end_is_bounded() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1bPq")
    for _ in range(100):
        tracker.feed(b"#0~" * 10_000)
    assert len(tracker.pending) <= 4096
    tracker.feed(b"[31m\x1b\\\x1b[32m")
    assert tracker.modes.rendition == (b"32",)
    assert tracker.pending == b""
