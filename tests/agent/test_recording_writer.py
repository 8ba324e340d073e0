"""The thread that writes recordings: in order, bounded, and what ends one ends no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilot.agent.recordings import file
from pilot.agent.recordings import writer as module
from pilot.agent.recordings.writer import RecordingWriter
from pilot.asciicast import Header, Reader
from pilot.recording_seals import Seal, check


class Told:
    def __init__(self) -> None:
        self.seals: dict[str, list[Seal]] = {}
        self.why: dict[str, str] = {}
        self.go = threading.Event()
        self.go.set()

    def sealed(self, id: str, seal: Seal) -> None:
        assert self.go.wait(30)
        self.seals.setdefault(id, []).append(seal)

    def ended(self, id: str, why: str, size: int) -> None:
        self.why[id] = why


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def writer(told: Told) -> Iterator[RecordingWriter]:
    writer = RecordingWriter(told, time.monotonic)
    yield writer
    told.go.set()
    assert writer.close(30, "the test is over")


def whole(path: Path, seals: list[Seal]) -> str:
    with path.open("rb") as opened:
        assert check(opened, seals).trouble == ""
    assert seals[-1].last
    with path.open("rb") as opened:
        return "".join(event.data for event in Reader(opened) if event.code == "o")


def test_all_that_was_printed_is_there_in_its_order(
    tmp_path: Path, told: Told, writer: RecordingWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "FLOOD_BYTES", file.SEAL_BYTES)
    lines = [f"line {number}\r\n" for number in range(15_000)]
    for id in ("a", "b"):
        writer.begin(id, tmp_path / id, Header(), 10_000_000)
    for line in lines:
        writer.printed("a", line.encode())
    writer.printed("b", b"only this")
    assert writer.close(30, "airboss stops")
    assert told.why == {"a": "airboss stops", "b": "airboss stops"}
    assert len(told.seals["a"]) > 3
    assert whole(tmp_path / "a", told.seals["a"]) == "".join(lines)
    assert whole(tmp_path / "b", told.seals["b"]) == "only this"


def test_one_that_reaches_its_limit_ends_alone(tmp_path: Path, told: Told, writer: RecordingWriter) -> None:
    writer.begin("small", tmp_path / "small", Header(), 10_000)
    writer.begin("other", tmp_path / "other", Header(), 10_000_000)
    for _ in range(20):
        writer.printed("small", b"x" * 1000)
        writer.printed("other", b"x" * 1000)
    assert writer.close(30, "stopped")
    assert told.why == {"small": "it reached its limit", "other": "stopped"}
    assert (tmp_path / "small").stat().st_size <= 10_000
    assert len(whole(tmp_path / "other", told.seals["other"])) == 20_000


def test_a_disk_that_does_not_keep_up_ends_it_and_holds_nobody_up(
    tmp_path: Path, told: Told, writer: RecordingWriter
) -> None:
    writer.begin("a", tmp_path / "a", Header(), 1_000_000_000)
    told.go.clear()
    piece = b"x" * 65_536
    for _ in range(3 * module.MOST_OF_ONE // len(piece)):
        writer.printed("a", piece)
    told.go.set()
    assert writer.close(30, "stopped")
    assert told.why == {"a": "the disk did not keep up"}
    text = whole(tmp_path / "a", told.seals["a"])
    assert 0 < len(text) <= module.MOST_OF_ONE + 2 * len(piece)


def test_many_that_flood_end_none_that_does_not(tmp_path: Path, told: Told, writer: RecordingWriter) -> None:
    floods = [f"flood{number}" for number in range(2 + module.MOST // module.MOST_OF_ONE)]
    for id in ("held", "calm", *floods):
        writer.begin(id, tmp_path / id, Header(), 1_000_000_000)
    told.go.clear()
    piece = b"x" * 65_536
    for _ in range(2):  # Its seal is waited for: nothing more is written meanwhile.
        writer.printed("held", piece)
    for _ in range(2 * module.MOST_OF_ONE // len(piece)):
        for id in floods:
            writer.printed(id, piece)
    writer.printed("calm", b"login: ")
    told.go.set()
    assert writer.close(30, "stopped")
    assert {id: told.why[id] for id in floods} == dict.fromkeys(floods, "the disk did not keep up")
    assert told.why["calm"] == "stopped"
    assert whole(tmp_path / "calm", told.seals["calm"]) == "login: "
