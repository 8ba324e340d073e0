"""The event loop that libvirt is given: descriptors, timeouts, and changes from other threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import libvirt
import pytest

from pilot.backends.libvirt.epoll import EventLoop

READABLE, WRITABLE = libvirt.VIR_EVENT_HANDLE_READABLE, libvirt.VIR_EVENT_HANDLE_WRITABLE
HANGUP = libvirt.VIR_EVENT_HANDLE_HANGUP


class Bench:
    """A loop that a test turns by hand, and what it called."""

    def __init__(self) -> None:
        self.freed: list[object] = []
        self.loop = EventLoop(self.freed.append)
        self.called: list[tuple[object, int]] = []
        self.fds: list[int] = []

    def pipe(self) -> tuple[int, int]:
        read, write = os.pipe()
        self.fds += [read, write]
        return read, write

    def handle(self, _number: int, _fd: int, events: int, opaque: object) -> None:
        self.called.append((opaque, events))

    def timeout(self, _number: int, opaque: object) -> None:
        self.called.append((opaque, 0))

    def turn(self) -> list[tuple[object, int]]:
        """What one turn calls; a timeout keeps it from waiting for ever."""
        guard = self.loop.add_timeout(50, lambda _number, _opaque: None, "guard")
        self.called = []
        self.loop.run_once()
        self.loop.run_once()
        self.loop.remove_timeout(guard)
        return self.called


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for fd in made.fds:
        os.close(fd)


def test_what_the_garbage_collector_lets_go_of_may_take_its_handles_away(bench: Bench) -> None:
    """A connection is closed wherever its last reference goes: in the middle of the loop's own work, too."""
    first = bench.loop.add_handle(bench.pipe()[0], READABLE, bench.handle, "first")
    second = bench.loop.add_handle(bench.pipe()[0], READABLE, bench.handle, "second")
    removed: list[int] = []

    class Letting(int):
        """A handle's number that lets go of a connection when it is looked up, as a collection may then."""

        def __hash__(self) -> int:
            if not removed:
                removed.append(-1)
                removed[0] = bench.loop.remove_handle(first)
            return super().__hash__()

    looking = threading.Thread(target=bench.loop.update_handle, args=(Letting(second), 0), daemon=True)
    looking.start()
    looking.join(20)
    assert not looking.is_alive()
    assert removed == [0]


def test_a_descriptor_that_is_readable_is_told_until_it_is_read(bench: Bench) -> None:
    read, write = bench.pipe()
    bench.loop.add_handle(read, READABLE, bench.handle, "a")
    assert bench.turn() == []
    os.write(write, b"x")
    assert set(bench.turn()) == {("a", READABLE)}
    os.read(read, 1)
    assert bench.turn() == []


def test_nothing_is_told_of_one_that_nothing_is_wanted_of_not_even_a_hangup(bench: Bench) -> None:
    read, write = os.pipe()
    number = bench.loop.add_handle(read, 0, bench.handle, "a")
    os.close(write)
    assert bench.turn() == []
    bench.loop.update_handle(number, READABLE)
    assert {events & HANGUP for _, events in bench.turn()} == {HANGUP}
    bench.loop.update_handle(number, 0)
    assert bench.turn() == []
    assert bench.loop.remove_handle(number) == 0
    os.close(read)
    assert bench.loop.remove_handle(number) == -1
    bench.turn()
    assert "a" in bench.freed


def test_two_handles_of_one_descriptor(bench: Bench) -> None:
    read, write = bench.pipe()
    first = bench.loop.add_handle(read, READABLE, bench.handle, "a")
    bench.loop.add_handle(read, READABLE, bench.handle, "b")
    os.write(write, b"x")
    assert {name for name, _ in bench.turn()} == {"a", "b"}
    bench.loop.remove_handle(first)
    assert {name for name, _ in bench.turn()} == {"b"}
    bench.loop.add_handle(write, WRITABLE, bench.handle, "c")
    assert set(bench.turn()) == {("b", READABLE), ("c", WRITABLE)}


def test_a_handle_that_is_removed_by_a_callback_before_its_turn(bench: Bench) -> None:
    numbers: list[int] = []

    def remove_all(_number: int, _fd: int, _events: int, opaque: object) -> None:
        bench.called.append((opaque, 0))
        for number in numbers:
            bench.loop.remove_handle(number)

    for name in ("a", "b"):
        read, write = bench.pipe()
        os.write(write, b"x")
        numbers.append(bench.loop.add_handle(read, READABLE, remove_all, name))
    assert len(bench.turn()) == 1
    assert {"a", "b"} <= set(bench.freed)


def test_timeouts_come_again_until_they_are_off(bench: Bench) -> None:
    number = bench.loop.add_timeout(-1, bench.timeout, "t")
    assert bench.turn() == []
    bench.loop.update_timeout(number, 0)
    assert bench.turn() == [("t", 0), ("t", 0)]
    bench.loop.update_timeout(number, -1)
    assert bench.turn() == []
    bench.loop.remove_timeout(number)
    bench.loop.update_timeout(number, 0)
    assert bench.turn() == []
    assert bench.loop.remove_timeout(number) == -1


def test_changes_of_other_threads_end_a_wait(bench: Bench) -> None:
    """A descriptor and a timeout, each given while the loop waits for something else for ever."""
    read, write = bench.pipe()
    called = threading.Event()
    number = bench.loop.add_handle(read, 0, lambda *_: called.set(), "a")
    os.write(write, b"x")
    waiting = threading.Thread(target=bench.loop.run_once, daemon=True)
    waiting.start()
    bench.loop.update_handle(number, READABLE)
    assert called.wait(5)
    waiting.join(5)
    bench.loop.update_handle(number, 0)
    ended = threading.Event()

    def turns() -> None:
        for _ in range(2):
            bench.loop.run_once()

    waiting = threading.Thread(target=turns, daemon=True)
    waiting.start()
    begin = time.monotonic()
    bench.loop.add_timeout(10, lambda *_: ended.set(), "t")
    assert ended.wait(5)
    assert time.monotonic() - begin < 2
    waiting.join(5)
