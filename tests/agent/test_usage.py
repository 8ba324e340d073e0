"""The history of what nodes use, and what a watcher is told of it: enough, and no more than changed."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pilot import wire
from pilot.agent import usage as module
from pilot.agent.usage import SAMPLES, Feed, Usage
from pilot.backends.provider import NOT_KNOWN, Used
from pilot.live.usage import UsageHistory


class Site:
    """A usage book whose clock a test moves, sample by sample."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.usage = Usage(5.0, lambda: self.now)
        self.woken = 0

    def sample(self, **used: int | Used) -> None:
        """Take a sample, `a=7`: what a provider told before."""
        self.usage.usage({k: Used(v, 1000) if isinstance(v, int) else v for k, v in used.items()})
        self.now += 5.0
        self.usage.take(self.usage.sample + 1)

    def wake(self) -> None:
        self.woken += 1


def told(feed: Feed, *sees: str) -> dict[str, bytes]:
    frames = list(feed.frames(lambda node_id: not sees or node_id in sees))
    return {one.node: one.cpu for frame in frames for one in frame.nodes}


def test_a_history_is_bounded_and_goes_on_where_nothing_is_told() -> None:
    site = Site()
    site.sample(a=1)
    site.sample(a=2)
    site.sample()
    one = site.usage.of("a", SAMPLES)
    assert one == wire.NodeUsage("a", bytes([1, 2, 2]), 1000)
    for n in range(100):
        site.sample(a=n)
    one = site.usage.of("a", SAMPLES)
    assert one is not None
    assert one.cpu == bytes(range(40, 100))
    for _ in range(100):
        site.sample()
    one = site.usage.of("a", SAMPLES)
    assert one is not None
    assert one.cpu == bytes([99] * SAMPLES)
    site.usage.gone("a")
    assert site.usage.of("a", SAMPLES) is None


def test_a_watcher_gets_the_past_once_and_then_what_changed() -> None:
    site = Site()
    site.sample(a=1, b=10)
    site.sample(a=2)
    feed = site.usage.watch(site.wake)
    feed.anew()
    feed.shown(("a", "b", "c"), ())
    assert told(feed) == {"a": bytes([1, 2]), "b": bytes([10, 10])}
    site.sample(a=2, b=10)
    assert (feed.due, site.woken) == (True, 1)
    assert told(feed) == {}
    site.sample(a=3, b=10)
    assert told(feed) == {"a": bytes([3])}
    site.sample(c=4)
    assert told(feed) == {"c": bytes([4])}
    feed.anew()
    feed.shown(("a", "b", "c"), ())
    assert told(feed) == {"a": bytes([1, 2, 2, 3, 3]), "b": bytes([10] * 5), "c": bytes([4])}


def test_a_slow_watcher_gets_the_newest_in_one_go() -> None:
    site = Site()
    site.sample(a=1, b=1)
    feed = site.usage.watch(site.wake)
    feed.shown(("a", "b"), ())
    told(feed)
    for n in range(3):
        site.sample(a=10 + n)
    assert told(feed) == {"a": bytes([10, 11, 12])}
    for n in range(200):
        site.sample(a=n % 100)
    assert told(feed) == {"a": bytes(n % 100 for n in range(140, 200))}


def test_only_nodes_in_view_are_told_of() -> None:
    site = Site()
    feed = site.usage.watch(site.wake)
    feed.shown(("mine",), ())
    site.sample(mine=1, theirs=2)
    assert told(feed, "mine") == {"mine": bytes([1])}
    # It comes into view: with its past. It leaves, comes back: with its past again.
    feed.shown(("theirs",), ())
    site.sample(theirs=3)
    assert told(feed) == {"theirs": bytes([2, 3])}
    feed.shown((), ("theirs",))
    feed.shown(("theirs",), ())
    assert told(feed) == {"theirs": bytes([2, 3])}


def test_a_node_of_which_nothing_is_known_is_no_news_however_often_it_changes() -> None:
    site = Site()
    feed = site.usage.watch(site.wake)
    feed.anew()
    feed.shown(("a",), ())
    assert told(feed) == {}
    feed.shown(("a",), ())
    due = feed.due
    site.sample(a=4)
    assert (due, feed.due) == (False, True)
    assert told(feed) == {"a": bytes([4])}


def test_memory_is_told_when_it_changed_by_more_than_a_hundredth() -> None:
    site = Site()
    feed = site.usage.watch(site.wake)
    site.sample(a=Used(5, 1000))
    told(feed)
    for memory, tells in ((1009, False), (1010, False), (1011, True), (1012, False), (0, True), (1, True)):
        site.sample(a=Used(5, memory))
        assert bool(told(feed)) is tells, memory


def test_what_is_not_known_of_nobody_is_not_kept() -> None:
    site = Site()
    site.sample(a=Used())
    assert site.usage.of("a", 1) is None
    site.sample(a=3)
    site.sample(a=Used())
    assert site.usage.of("a", 9) == wire.NodeUsage("a", bytes([3, NOT_KNOWN]), 0)


def test_frames_are_bounded_and_newer_samples_may_come_between_them() -> None:
    site = Site()
    many = {f"n{n}": 1 for n in range(2 * module.NODES_PER_FRAME + 1)}
    site.sample(**many)
    feed = site.usage.watch(site.wake)
    feed.shown(many, ())
    frames, mirror = [], UsageHistory()
    for frame in feed.frames(lambda _id: True):
        frames.append(frame)
        mirror.take(frame)
        site.sample(**dict.fromkeys(many, 1 + len(frames)))
    assert [len(frame.nodes) for frame in frames] == [module.NODES_PER_FRAME, module.NODES_PER_FRAME, 1]
    assert max(len(wire.encode(frame)) for frame in frames) < 256 * 1024
    for frame in feed.frames(lambda _id: True):
        mirror.take(frame)
    assert {mirror.cpu(node_id) for node_id in many} == {bytes([1, 2, 3, 4])}


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abc"), st.sampled_from([0, 50, NOT_KNOWN])), st.booleans()
        ),
        max_size=80,
    )
)
def test_a_client_that_reads_now_and_then_ends_with_the_same_history(
    steps: list[tuple[dict[str, int], bool]],
) -> None:
    site, mirror = Site(), UsageHistory()
    site.sample(a=1, b=2, c=3)
    feed = site.usage.watch(site.wake)
    feed.shown("abc", ())
    for used, reads in (*steps, ({}, True)):
        site.sample(**used)
        for frame in feed.frames(lambda _id: True) if reads else ():
            mirror.take(frame)
    for node_id in "abc":
        one = site.usage.of(node_id, SAMPLES)
        assert one is not None
        assert mirror.cpu(node_id) == one.cpu


def test_ten_thousand_nodes_that_stay_as_they_are_cost_nothing() -> None:
    site = Site()
    many = {f"n{n}": 1 for n in range(10_000)}
    site.sample(**many)
    feeds = [site.usage.watch(site.wake) for _ in range(20)]
    for feed in feeds:
        feed.shown(many, ())
        told(feed)
    began = time.thread_time()
    for _ in range(100):
        site.sample()
        for feed in feeds:
            assert told(feed) == {}
    assert time.thread_time() - began < 1.0  # 0.01 s; comparing all would take 20 s
