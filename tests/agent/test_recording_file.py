"""Recordings on the disk: bounded, sealed, and held against their seals."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from pilot.agent.recordings.file import FLOOD_BYTES, SEAL_BYTES, SEAL_SECONDS, RecordingFile, recover
from pilot.asciicast import Header, Reader
from pilot.recording_seals import MAX_PART, Finding, Seal, check, ending


def recorded(path: Path, parts: int = 3, *, end: bool = True) -> list[Seal]:
    file = RecordingFile(path, Header(), 10_000_000)
    seals = []
    for part in range(parts):
        assert file.printed(part, b"line %d\r\n" % part * 100)
        seals.append(file.seal(part))
    if end:
        last = file.close(parts)
        assert last is not None
        seals.append(last)
    return seals


def held(path: Path, seals: list[Seal]) -> Finding:
    with path.open("rb") as file:
        return check(file, seals)


def test_it_is_a_recording_that_only_its_user_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    seals = recorded(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b'{"version":3,'), "so programs tell what file it is"
    with path.open("rb") as file:
        events = list(Reader(file))
    assert [event.code for event in events] == ["o", "o", "o", "x"]
    assert held(path, seals) == Finding("", path.stat().st_size)


def test_a_character_whose_bytes_come_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    file = RecordingFile(path, Header(), 10_000)
    for byte in "é💻".encode() + b"\xe2\x82":
        file.printed(0, bytes([byte]))
    file.close(1)
    with path.open("rb") as opened:
        assert "".join(event.data for event in Reader(opened) if event.code == "o") == "é💻\ufffd"


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def doubled(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))


def shortened(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'[1,"o","more"]\n')


@pytest.mark.parametrize(
    ("tamper", "trouble"),
    [(flipped, "altered"), (doubled, "altered"), (shortened, "cut"), (emptied, "cut"), (grown, "longer")],
)
def test_what_was_done_to_a_file_is_named(
    tmp_path: Path, tamper: Callable[[Path], None], trouble: str
) -> None:
    seals = recorded(tmp_path / "a.cast")
    tamper(tmp_path / "a.cast")
    found = held(tmp_path / "a.cast", seals)
    assert found.trouble == trouble
    assert found.words


def test_a_missing_file_and_missing_seals_are_named(tmp_path: Path) -> None:
    seals = recorded(tmp_path / "a.cast")
    assert check(None, seals).trouble == "missing"
    assert held(tmp_path / "a.cast", seals[1:]).trouble == "seals"
    assert held(tmp_path / "a.cast", [seals[0], *seals[2:]]).trouble == "seals"
    assert held(tmp_path / "a.cast", [*seals, seals[0]]).trouble == "seals"
    assert held(tmp_path / "a.cast", [seals[0], *seals, seals[-1]]).trouble == "", "told twice by a late disk"


def test_no_seal_but_the_last_can_be_made_the_end(tmp_path: Path) -> None:
    seals = recorded(tmp_path / "a.cast")
    os.truncate(tmp_path / "a.cast", seals[1].end)
    assert held(tmp_path / "a.cast", seals).trouble == "cut"
    forged = msgspec.structs.replace(seals[1], last=True)
    assert held(tmp_path / "a.cast", [seals[0], forged]).trouble == "altered"


def test_a_tail_that_is_not_sealed_yet_is_said_and_fine(tmp_path: Path) -> None:
    seals = recorded(tmp_path / "a.cast", end=False)
    grown(tmp_path / "a.cast")
    found = held(tmp_path / "a.cast", seals)
    assert (found.trouble, found.open) == ("", len(b'[1,"o","more"]\n'))
    assert "not sealed" in found.words
    os.truncate(tmp_path / "a.cast", seals[-1].end + MAX_PART)
    assert held(tmp_path / "a.cast", seals).trouble == "longer"


def test_after_a_crash_it_is_cut_to_its_last_seal(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    seals = recorded(path, end=False)
    with path.open("ab") as file:
        file.write(b'[1,"o","ha')
    found, cut = recover(path, seals)
    assert (found.trouble, cut, path.stat().st_size) == ("", 10, seals[-1].end)
    assert held(path, seals) == Finding("", seals[-1].end)


def test_after_a_crash_a_file_that_was_altered_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    seals = recorded(path, end=False)
    grown(path)
    flipped(path)
    before = path.read_bytes()
    found, cut = recover(path, seals)
    assert (found.trouble, cut, path.read_bytes()) == ("altered", 0, before)
    assert recover(tmp_path / "none.cast", seals)[0].trouble == "missing"


def test_it_ends_at_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    file = RecordingFile(path, Header(), 100_000)
    count = 0
    while file.printed(count, b"\x1b" * 100):
        count += 1
    last = file.close(count)
    assert last is not None
    assert last.end == path.stat().st_size <= 100_000
    assert held(path, [last]).trouble == ""


def test_a_part_is_due_by_size_and_by_time(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "a.cast", Header(), 10_000_000)
    file.seal(0)
    assert not file.due(SEAL_SECONDS * 2)
    file.printed(1, b"a")
    assert not file.due(1)
    assert file.due(SEAL_SECONDS)
    file.seal(SEAL_SECONDS)
    file.printed(61, b"a" * SEAL_BYTES)
    assert file.due(61)
    assert not file.due(61, behind=True)
    file.printed(62, b"a" * FLOOD_BYTES)
    assert file.due(62, behind=True)
    file.close(61)


def test_a_disk_that_is_full_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = RecordingFile(path, Header(), 10_000_000)
    file.printed(0, b"kept")
    seal = file.seal(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(OSError):
            file.printed(1, b"lost" * 100)
        assert path.read_bytes().endswith(b'"kept"]\n')
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        last = file.close(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert last is not None
    assert held(path, [seal, last]).trouble == ""


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    recorded(tmp_path / "a.cast")
    with pytest.raises(FileExistsError):
        RecordingFile(tmp_path / "a.cast", replace(Header(), title="b"), 10_000)


def test_one_that_was_killed_is_sealed_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    seals = recorded(path, end=False)
    size = path.stat().st_size
    grown(path)
    assert recover(path, seals)[1] > 0
    whole = [*seals, ending(seals)]
    assert held(path, whole) == Finding("", size)
    grown(path)
    assert held(path, whole).trouble == "longer"
    assert held(path, [*whole, ending(seals)]).trouble == "longer"
    (tmp_path / "empty").touch()
    assert held(tmp_path / "empty", [ending([])]) == Finding("", 0)
