"""A console's log on the disk: what is written is read again, whatever became of the writer in between."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilot.agent.consoles import log_reader
from pilot.agent.consoles.log_files import BOOT, MARK, OUTPUT, RECORD_SIZE, Appender, Run, segments
from pilot.agent.consoles.log_reader import LogReader, Query
from pilot.wire import LogLine

SIZE, COUNT = 64 * 1024, 4
ALL = 1_000_000


class Scribe:
    """Writes runs one after the other, a second apart unless it is said otherwise."""

    def __init__(self, folder: Path, size: int = SIZE, count: int = COUNT, start: int = 0) -> None:
        self.folder = folder
        self.appender = Appender(folder, size, count)
        self.end = start
        self.now = 1000.0

    def print(self, data: bytes, kind: int = OUTPUT, after: float = 1.0) -> None:
        self.now += after
        self.appender.write([Run(self.end, self.now, self.now - 500, kind, data)])
        self.end += len(data)

    def lines(self, query: Query | None = None) -> list[bytes]:
        return [line.data for line in self.read(query or Query(ALL))]

    def read(self, query: Query) -> list[LogLine]:
        reader = LogReader(self.folder)
        plan = reader.plan(query, self.appender.end)
        at, found = plan.start, list[LogLine]()
        while at < plan.end:
            part = reader.read(at, plan.end)
            assert part.upto > at
            at = part.upto
            found += part.lines
        return found


@pytest.fixture
def scribe(tmp_path: Path) -> Scribe:
    return Scribe(tmp_path / "log")


def test_lines_have_the_time_at_which_they_began(scribe: Scribe) -> None:
    scribe.print(b"one\r\ntwo\r\nthr")
    scribe.print(b"ee\r\nfour\r\n")
    found = scribe.read(Query(ALL))
    assert [(line.offset, line.time, line.mono, line.data) for line in found] == [
        (0, 1001.0, 501.0, b"one\r\n"),
        (5, 1001.0, 501.0, b"two\r\n"),
        (10, 1001.0, 501.0, b"three\r\n"),
        (17, 1002.0, 502.0, b"four\r\n"),
    ]


def test_what_comes_at_once_shares_a_record(scribe: Scribe) -> None:
    for _ in range(10):
        scribe.print(b"x\n", after=0.0005)
    (segment,) = segments(scribe.folder)
    assert Path(segment.index_path).stat().st_size == RECORD_SIZE
    assert len(scribe.lines()) == 10


def test_the_newest_lines_and_those_before_a_place(scribe: Scribe) -> None:
    for number in range(3000):
        scribe.print(b"line %04d, as long as lines are that a kernel prints\n" % number)
    assert len(segments(scribe.folder)) > 1, "they are spread over segments"
    everything = scribe.lines()
    assert scribe.lines(Query(5)) == everything[-5:]
    assert scribe.lines(Query(len(everything) - 1)) == everything[1:]
    place = scribe.end - len(b"".join(everything[-100:]))
    assert scribe.lines(Query(3, before=place)) == everything[-103:-100]
    assert scribe.lines(Query(0)) == []
    scribe.print(b"login: ")
    assert scribe.lines(Query(2)) == [everything[-1], b"login: "]


def test_no_more_is_kept_than_was_said_and_the_oldest_goes(scribe: Scribe) -> None:
    for number in range(200):
        scribe.print(b"%06d " % number + b"y" * 4000 + b"\n")
        if number % 50 == 0:
            scribe.print(b"z" * (3 * SIZE) + b"\n")
    kept = sum(path.stat().st_size for path in scribe.folder.iterdir())
    assert (COUNT - 1) * SIZE < kept <= COUNT * SIZE
    assert len(list(scribe.folder.iterdir())) == 2 * COUNT
    oldest = scribe.appender.oldest
    assert oldest == segments(scribe.folder)[0].start > 0
    plan = LogReader(scribe.folder).plan(Query(ALL), scribe.end)
    assert plan == (oldest, scribe.end, True)
    assert scribe.lines()[-1].startswith(b"000199 ")


def test_a_trickle_is_bounded_too(tmp_path: Path) -> None:
    scribe = Scribe(tmp_path / "log", count=2)
    for _ in range(6000):
        scribe.print(b".")
    assert sum(path.stat().st_size for path in scribe.folder.iterdir()) <= 2 * SIZE


def test_a_disk_that_is_full_again_and_again_takes_nothing_of_the_past(
    scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        scribe.print(b"%06d " % number + b"y" * 4000 + b"\n")
    before = scribe.lines()

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for _ in range(3 * COUNT):
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left"):
                scribe.print(b"in vain\n")
        scribe.end += len(b"in vain\n")
    for number in range(3 * COUNT):  # Each of these begins a segment, behind a gap.
        scribe.print(b"short %d\n" % number)
        scribe.end += 1000
    lines = scribe.lines()
    assert lines[-3 * COUNT :] == [b"short %d\n" % number for number in range(3 * COUNT)]
    assert lines[: -3 * COUNT] == before
    for _ in range(20 * COUNT):
        scribe.print(b"short\n")
        scribe.end += 1000
    assert len(segments(scribe.folder)) == 16 * COUNT, "but how many files there are is bounded"
    again = Scribe(scribe.folder, start=scribe.end)
    again.print(b"z" * (COUNT * SIZE))
    assert sum(path.stat().st_size for path in scribe.folder.iterdir()) <= COUNT * SIZE


def test_since_begins_with_the_line_of_which_something_was_printed_since(scribe: Scribe) -> None:
    scribe.print(b"old\nlogin: ")  # 1001
    scribe.print(b"root\nPassword: ", after=100)  # 1101
    scribe.print(b"\nlast\n", after=100)  # 1201
    assert scribe.lines(Query(ALL, since=1050.0)) == [b"login: root\n", b"Password: \n", b"last\n"]
    assert scribe.lines(Query(ALL, since=1150.0)) == [b"Password: \n", b"last\n"]
    assert scribe.lines(Query(1, since=1050.0)) == [b"last\n"]
    assert scribe.lines(Query(ALL, since=1300.0)) == []
    assert len(scribe.lines(Query(ALL, since=1.0))) == 4


def test_the_last_boot(scribe: Scribe) -> None:
    scribe.print(b"before\n")
    assert scribe.lines(Query(ALL, boot=True)) == [b"before\n"], "no boot is kept: all there is"
    scribe.print(b"\x1b[m\r\n[pilot: turned on]\r\n", BOOT)
    scribe.print(b"first\n")
    scribe.print(b"\r\n[pilot: turned off]\r\n", MARK)
    scribe.print(b"\r\n[pilot: turned on]\r\n", BOOT)
    scribe.print(b"second\n")
    assert scribe.lines(Query(ALL, boot=True)) == [b"[pilot: turned on]\r\n", b"second\n"]
    for _ in range(3):
        scribe.print(b"y" * 4000 + b"\n")
    assert scribe.lines(Query(ALL, boot=True))[0] == b"[pilot: turned on]\r\n"


def test_what_was_left_out_shows_as_a_gap(scribe: Scribe) -> None:
    scribe.print(b"there\npart")
    scribe.end += 1000
    scribe.print(b"again\n")
    reader = LogReader(scribe.folder)
    first = reader.read(0, scribe.end)
    assert [line.data for line in first.lines] == [b"there\n", b"part"]
    second = reader.read(first.upto, scribe.end)
    assert second.gap
    assert [(line.offset, line.data) for line in second.lines] == [(1010, b"again\n")]
    assert reader.tail(scribe.end, 10_000) == (1010, b"again\n"), "nothing across a gap"


def test_long_lines_come_in_parts_and_pages_are_bounded(scribe: Scribe) -> None:
    data = b"a" * 20_000 + b"\n" + b"\n" * 5000
    scribe.print(data)
    found = scribe.read(Query(ALL))
    assert b"".join(line.data for line in found) == data
    assert max(len(line.data) for line in found) == log_reader.LONGEST
    part = LogReader(scribe.folder).read(0, scribe.end)
    assert len(part.lines) == log_reader.PAGE_LINES


def test_a_line_is_whole_across_pages_and_segments(scribe: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "PAGE_BYTES", 10_000)
    wanted = [b"%05d " % number + b"b" * 700 + b"\n" for number in range(150)]
    for line in wanted:
        scribe.print(line[:50])
        scribe.print(line[50:])
    assert len(segments(scribe.folder)) > 1
    assert scribe.lines() == wanted


@pytest.mark.parametrize("torn", [1, RECORD_SIZE - 1, RECORD_SIZE, RECORD_SIZE + 5])
def test_a_torn_or_damaged_index_is_cut_and_written_on(scribe: Scribe, torn: int) -> None:
    scribe.print(b"one\n")
    scribe.print(b"two\n")
    index = Path(segments(scribe.folder)[0].index_path)
    good = index.read_bytes()
    index.write_bytes(good + b"\x07" * torn)
    again = Scribe(scribe.folder, start=scribe.end)
    again.now = 2000.0
    again.print(b"three\n")
    assert again.lines() == [b"one\n", b"two\n", b"three\n"]
    assert [line.time for line in again.read(Query(ALL))] == [1001.0, 1002.0, 2001.0]


def test_a_record_of_bytes_that_were_never_written_is_cut(scribe: Scribe) -> None:
    scribe.print(b"one\n")
    index = Path(segments(scribe.folder)[0].index_path)
    one = index.read_bytes()
    scribe.print(b"two\n")
    both = index.read_bytes()
    bytes_of = Path(segments(scribe.folder)[0].bytes_path)
    bytes_of.write_bytes(b"one\n")
    assert len(both) == 2 * len(one)
    again = Scribe(scribe.folder, start=4)
    again.now = 3000.0
    again.print(b"2\n")
    assert [(line.time, line.data) for line in again.read(Query(ALL))] == [
        (1001.0, b"one\n"),
        (3001.0, b"2\n"),
    ]


def test_who_changes_a_log_under_it_does_not_move_what_comes_after(scribe: Scribe) -> None:
    scribe.print(b"one\n")
    for path in scribe.folder.iterdir():
        path.unlink()
    with pytest.raises(OSError, match="changed"):
        scribe.print(b"two\n")
    scribe.end += 4
    scribe.print(b"three\n")
    assert [(line.offset, line.data) for line in scribe.read(Query(ALL))] == [(8, b"three\n")]


def test_files_are_for_their_owner_alone(scribe: Scribe) -> None:
    before = os.umask(0)
    try:
        scribe.print(b"secret\n")
    finally:
        os.umask(before)
    assert scribe.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in scribe.folder.iterdir()} == {0o600}


_VICTIM = """
import sys
from pathlib import Path
from pilot.agent.consoles.log_files import Appender, Run
appender, end, number = Appender(Path(sys.argv[1]), 65536, 4), 0, 0
while True:
    data = b"%08d " % number + b"k" * (number % 300) + bytes([10])
    appender.write([Run(end, 1000.0 + number, float(number), 0, data)])
    end += len(data)
    number += 1
    if number == int(sys.argv[2]):
        print("under way", flush=True)
"""


@pytest.mark.parametrize("after", [3, 500, 2345])
def test_kill_9_in_the_middle_leaves_a_log_that_is_whole_up_to_its_end(tmp_path: Path, after: int) -> None:
    folder = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(folder), str(after)], stdout=subprocess.PIPE
    ) as victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
    again = Scribe(folder, start=segments(folder)[-1].end)
    again.now = 1e9
    again.print(b"\nafter\n")
    lines = again.read(Query(ALL))
    assert lines[-1].data == b"after\n"
    whole = [line for line in lines[1:-1] if line.data.endswith(b"k\n")]
    numbers = [int(line.data[:8]) for line in lines[1:-2]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(line.time == 1000.0 + int(line.data[:8]) for line in whole)
