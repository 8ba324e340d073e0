"""The last samples of each node: what is left out is what it was, and what was missed is a hole."""

from __future__ import annotations

import time

from pilot.live.usage import SAMPLES, UNKNOWN, UsageHistory
from pilot.wire import NodeUsage, Usage

STEP = 5.0
HOLE = bytes((UNKNOWN,))


def usage(at: float, **cpu: bytes) -> Usage:
    """Samples of nodes, the newest one the `at`-th."""
    nodes = tuple(NodeUsage(name, samples, 1000 + samples[-1]) for name, samples in cpu.items())
    return Usage(at * STEP + 1_800_000_000.0, STEP, nodes)


def test_the_past_and_then_what_is_new() -> None:
    history = UsageHistory()
    assert (history.cpu("a"), history.load("a"), history.memory("a")) == (b"", None, 0)
    told: list[int] = []
    history.changed.listen(lambda: told.append(history.version))
    history.begin_anew()
    history.take(usage(10, a=bytes([1, 2, 3]), b=bytes([9])))
    history.take(usage(10, c=bytes([7, 7])))
    assert (history.cpu("a"), history.cpu("b"), history.cpu("c")) == (b"\1\2\3", b"\x09", b"\7\7")
    history.take(usage(11, a=bytes([4])))
    assert (history.cpu("a"), history.load("a"), history.memory("a")) == (b"\1\2\3\4", 4, 1004)
    assert (history.cpu("b"), history.load("b")) == (b"\x09\x09", 9), "left out: as before"
    history.take(usage(12))
    history.take(usage(13, b=bytes([1])))
    assert history.cpu("a") == b"\1\2\3\4\4\4"
    assert history.cpu("b") == b"\x09\x09\x09\1"
    assert told == [1, 2, 3, 4, 5]
    assert history.changed_since(0) == {"a", "b", "c"}
    assert history.changed_since(2) == {"a", "b"}
    assert history.changed_since(3) == {"b"}


def test_it_keeps_so_many_and_no_more() -> None:
    history = UsageHistory()
    history.take(usage(0, a=bytes(range(100)), b=bytes([5])))
    assert history.cpu("a") == bytes(range(40, 100))
    for number in range(1, 101):
        history.take(usage(number, a=bytes([number])))
    assert history.cpu("a") == bytes(range(41, 101))
    assert history.cpu("b") == bytes([5]) * SAMPLES


def test_several_samples_at_once_and_a_rhythm_that_is_not_exact() -> None:
    history = UsageHistory()
    history.take(usage(0, a=b"\1"))
    history.take(usage(1.1, a=b"\2"))
    history.take(usage(1.95, a=b"\3"))
    history.take(usage(5, a=b"\4\5"))
    assert history.cpu("a") == b"\1\2\3\3\4\5"


def test_what_was_missed_is_a_hole_unless_it_is_told() -> None:
    history = UsageHistory()
    history.take(usage(0, a=b"\1", b=b"\1", c=b"\1", d=b"\1"))
    history.take(usage(2, a=b"\2"))
    history.begin_anew()
    assert history.cpu("b") == b"\1\1\1", "until something newer is known"
    assert history.load("b") == 1
    history.take(usage(6, a=b"\3", b=b"\4\5\6\7", c=HOLE * 2))
    assert history.cpu("a") == b"\1\1\2" + HOLE * 3 + b"\3"
    assert history.cpu("b") == b"\1\1\1\4\5\6\7"
    assert history.cpu("c") == b"\1\1\1" + HOLE * 4
    assert history.cpu("d") == b"\1\1\1" + HOLE * 4
    assert (history.load("c"), history.load("d")) == (None, None)
    history.begin_anew()
    history.begin_anew()
    history.take(usage(7, b=b"\x08"))
    assert history.cpu("b") == b"\1\1\1\4\5\6\7\x08"
    assert history.cpu("d") == b"\1\1\1" + HOLE * 5


def test_the_past_that_is_told_again_is_not_doubled() -> None:
    history = UsageHistory()
    history.take(usage(3, a=b"\1\2\3\4"))
    history.begin_anew()
    history.take(usage(4, a=b"\2\3\4\5"))
    assert history.cpu("a") == b"\1\2\3\4\5"


def test_another_clock_or_rhythm_begins_anew() -> None:
    history = UsageHistory()
    history.take(usage(100, a=b"\1\2"))
    history.take(usage(50, a=b"\3"))
    assert history.cpu("a") == b"\3"
    history.take(Usage(1_800_001_000.0, 1.0, (NodeUsage("a", b"\4", 1),)))
    assert history.cpu("a") == b"\4"


def test_a_node_whose_processors_are_not_known() -> None:
    history = UsageHistory()
    history.take(Usage(1.0, STEP, (NodeUsage("a", b"", 4096),)))
    assert (history.cpu("a"), history.load("a"), history.memory("a")) == (b"", None, 4096)
    history.take(Usage(6.0, STEP, (NodeUsage("a", b"\1", 4096),)))
    history.take(Usage(11.0, STEP, (NodeUsage("a", b"", 8192),)))
    assert history.cpu("a")[-2:] == b"\1\1"
    assert history.memory("a") == 8192


def test_nodes_that_are_gone_are_forgotten() -> None:
    history = UsageHistory()
    history.take(usage(0, a=b"\1", b=b"\1", c=b"\1"))
    history.forget(["a", "x"])
    history.keep({"b"})
    assert [history.cpu(name) for name in "abc"] == [b"", b"\1", b""]


def test_ten_thousand_nodes_cost_little() -> None:
    history = UsageHistory()
    names = [f"{number:032d}" for number in range(10_000)]
    past = Usage(0.0, STEP, tuple(NodeUsage(name, bytes(SAMPLES), 1) for name in names))
    begun = time.process_time()
    history.take(past)
    for number in range(1, 61):
        changed = names[number : number + 200]
        history.take(Usage(number * STEP, STEP, tuple(NodeUsage(name, b"\1", 1) for name in changed)))
    assert time.process_time() - begun < 5.0, "five minutes of samples"
    assert len(history.cpu(names[-1])) == SAMPLES
