"""How busy the nodes were: a bounded history of each, sample by sample, and what watchers are told of it.

Providers tell what they see when they see it; a sample is what was known at its moment, and all nodes are
sampled at the same moments. What does not change costs nothing: a node's history is brought up to date when
it changes, or when somebody asks. A watcher collects which nodes changed and is sent the newest when its
channel has room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

from pilot import wire
from pilot.backends.provider import Used

SAMPLES = 60
"""Of each node; older ones are forgotten."""
NODES_PER_FRAME = 1000
"""About 100 bytes each with a whole history."""
_MEMORY_STEP = 0.01
"""A change of memory by no more than this part of it is not told."""


class _Node:
    """One node's samples up to the one in which it changed last; it has stayed so since."""

    __slots__ = ("cpus", "last", "memory")

    def __init__(self, sample: int, used: Used) -> None:
        self.cpus = bytes([used.cpu])
        self.last = sample
        self.memory = used.memory

    def enter(self, sample: int, used: Used) -> bool:
        """Take a new sample; whether it is another than the one before."""
        drift = abs(used.memory - self.memory)
        if drift and (not used.memory or drift > self.memory * _MEMORY_STEP):
            self.memory = used.memory
        elif used.cpu == self.cpus[-1]:
            return False
        self.cpus = self.upto(sample - 1, SAMPLES - 1) + bytes([used.cpu])
        self.last = sample
        return True

    def upto(self, sample: int, count: int) -> bytes:
        """So many samples at most, the last of them this one."""
        same = min(sample - self.last, count)
        return (self.cpus + self.cpus[-1:] * same)[-count:]


class Usage:
    """The samples of all nodes; a provider's Sink in part. Used on the event loop's thread only."""

    def __init__(self, step: float, clock: Callable[[], float]) -> None:
        """`step`: seconds between two samples."""
        self.step = step
        self.time = clock()
        """When the newest sample was taken."""
        self.sample = 0
        """Number of the newest sample."""
        self._clock = clock
        self._now: dict[str, Used] = {}
        self._nodes: dict[str, _Node] = {}
        self._feeds: set[Feed] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody is told."""
        return bool(self._feeds)

    def usage(self, used: Mapping[str, Used]) -> None:
        """A provider tells how busy nodes are; it shows in the next sample."""
        self._now.update(used)

    def gone(self, node_id: str) -> None:
        """A node is no more."""
        self._now.pop(node_id, None)
        self._nodes.pop(node_id, None)

    async def run(self) -> None:
        """Take samples until cancelled, at whole multiples of the step."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.step - loop.time() % self.step)
            self.take(round(loop.time() / self.step))

    def take(self, sample: int) -> None:
        """Take the sample of this number, which is larger than the one before."""
        if sample <= self.sample:
            return
        self.sample, self.time = sample, self._clock()
        now, self._now = self._now, {}
        changed = []
        for node_id, used in now.items():
            node = self._nodes.get(node_id)
            if node is None:
                if used == Used():
                    continue
                self._nodes[node_id] = _Node(sample, used)
            elif not node.enter(sample, used):
                continue
            changed.append(node_id)
        for feed in self._feeds:
            feed.sampled(changed)

    def knows(self, node_id: str) -> bool:
        """Whether there is any sample of a node."""
        return node_id in self._nodes

    def of(self, node_id: str, count: int) -> wire.NodeUsage | None:
        """A node's newest samples, so many at most; None if nothing is known of it."""
        node = self._nodes.get(node_id)
        if node is None:
            return None
        return wire.NodeUsage(node_id, node.upto(self.sample, count), node.memory)

    def watch(self, wake: Callable[[], None]) -> Feed:
        """What a watcher is to be told; `wake` is called when there is something."""
        feed = Feed(self, wake)
        self._feeds.add(feed)
        return feed

    def unwatch(self, feed: Feed) -> None:
        """The watcher is gone."""
        self._feeds.discard(feed)


class Feed:
    """What one watcher has been told, and is to be told."""

    def __init__(self, usage: Usage, wake: Callable[[], None]) -> None:
        self.due = False
        """Whether there is something to tell."""
        self._usage = usage
        self._wake = wake
        self._dirty: set[str] = set()
        self._told: set[str] = set()
        """The nodes whose history was sent."""
        self._sample = 0
        """The newest sample that was sent."""

    def sampled(self, changed: Iterable[str]) -> None:
        """A sample was taken, in which these nodes changed."""
        self._dirty.update(changed)
        self.due = True
        self._wake()

    def anew(self) -> None:
        """The watcher begins with a snapshot: it knows nothing."""
        self._told.clear()
        self._dirty.clear()
        self.due = True

    def shown(self, node_ids: Iterable[str], gone: Iterable[str]) -> None:
        """These nodes were shown to the watcher, or taken from its view."""
        self._told.difference_update(gone)
        # Of a node that nothing is known of there is nothing to tell, however often its record changes.
        knows = self._usage.knows
        if new := [node_id for node_id in node_ids if node_id not in self._told and knows(node_id)]:
            self._dirty.update(new)
            self.due = True

    def frames(self, sees: Callable[[str], bool]) -> Iterator[wire.Usage]:
        """What is to be told of the nodes that the watcher sees: of each the samples that it lacks.

        One frame at least, so that the watcher knows that there was a sample.
        """
        usage, since = self._usage, self._sample
        dirty, self._dirty, self.due, self._sample = self._dirty, set(), False, usage.sample
        some: list[wire.NodeUsage] = []
        for node_id in dirty:
            if not sees(node_id):
                continue
            # While frames wait to be sent a further sample may be taken: each has what is known by then.
            lacks = max(1, usage.sample - since) if node_id in self._told else SAMPLES
            one = usage.of(node_id, lacks)
            if one is None:
                continue
            self._told.add(node_id)
            some.append(one)
            if len(some) == NODES_PER_FRAME:
                yield wire.Usage(usage.time, usage.step, tuple(some))
                some = []
        yield wire.Usage(usage.time, usage.step, tuple(some))
