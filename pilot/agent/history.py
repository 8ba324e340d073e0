"""How busy hosts were in the last hour, and what nodes' interfaces carried: bounded, and kept over a restart.

Providers tell when they look; every step what is known by then becomes a sample of everything. What does not
change costs nothing: a track is brought up to date when it changes, or when somebody asks. A sample is a few
bytes; rates are on a logarithmic scale, so that one byte spans them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from pilot import wire
from pilot.backends.provider import NOT_KNOWN, HostUsed, Traffic
from pilot.wire.load_frames import UNKNOWN, HostLoad, NicLoad, rate_byte

STEP = 10.0
SAMPLES = 360
"""An hour of steps; older ones are forgotten."""
MOST_NICS = 50_000
PER_FRAME = 1000
HOST, NIC = 5, 2
"""How many lines a track has."""


class Track:
    """Samples of one thing, several lines of them, up to the one in which it changed last."""

    __slots__ = ("last", "lines", "now")

    def __init__(self, sample: int, lines: tuple[bytes, ...], now: HostUsed | Traffic) -> None:
        self.last = sample
        self.lines = lines
        self.now = now

    def enter(self, sample: int, values: tuple[int, ...], now: HostUsed | Traffic) -> bool:
        """Take a new sample; whether it is another than the one before."""
        if now == self.now and all(line[-1] == value for line, value in zip(self.lines, values, strict=True)):
            return False
        before = self.upto(sample - 1, SAMPLES - 1)
        self.lines = tuple(line + bytes((value,)) for line, value in zip(before, values, strict=True))
        self.last, self.now = sample, now
        return True

    def upto(self, sample: int, count: int) -> tuple[bytes, ...]:
        """So many samples of each line at most, the last of them this one."""
        same = min(max(0, sample - self.last), count)
        return tuple((line + line[-1:] * same)[-count:] for line in self.lines)


class History:
    """The samples of all hosts and interfaces. Used on the event loop's thread only."""

    def __init__(
        self,
        clock: Callable[[], float],
        size_of: Callable[[str], tuple[int, int]],
        step: float = STEP,
    ) -> None:
        """`size_of` tells a host's processors and memory in KiB, by its name; 0 if not known."""
        self.step = step
        self.time = clock()
        """When the newest sample was taken."""
        self.sample = 0
        """Its number."""
        self.hosts: dict[str, Track] = {}
        """By name."""
        self.nics: dict[str, Track] = {}
        """By id."""
        self.nics_of: dict[str, set[str]] = {}
        """The ids of a node's interfaces, by its own."""
        self._quiet: set[str] = set()
        """Interfaces that carry nothing that is known."""
        self._clock = clock
        self._size_of = size_of
        self._used: dict[str, HostUsed] = {}
        self._traffic: dict[str, Mapping[str, Traffic] | None] = {}
        """By host, what was told of its interfaces last; None if it is not known."""
        self._feeds: set[Feed] = set()

    @property
    def nics_watched(self) -> bool:
        """Whether anybody is told of interfaces."""
        return any(feed.nics for feed in self._feeds)

    # --- told ------------------------------------------------------------------------------------

    def used(self, host: str, used: HostUsed) -> None:
        """How busy a host is; it shows in the next sample."""
        self._used[host] = used

    def carried(self, host: str, traffic: Mapping[str, Traffic] | None) -> None:
        """What all interfaces of a host's running nodes carry, by id; None if it is not known."""
        self._traffic[host] = traffic

    def gone(self, node_id: str) -> None:
        """A node is no more."""
        nics = self.nics_of.pop(node_id, ())
        for nic in nics:
            del self.nics[nic]
            self._quiet.discard(nic)
        self._forgotten(nics)

    # --- samples ---------------------------------------------------------------------------------

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
        running: dict[str, Traffic] = {}
        for told in self._traffic.values():
            running.update(told or {})
        hosts = {host for host, used in self._used.items() if self._enter_host(host, used)}
        nics = {nic for nic, traffic in running.items() if self._enter_nic(nic, traffic)}
        ended = self.nics.keys() - running.keys() - self._quiet
        nics.update(nic for nic in ended if self.nics[nic].enter(sample, (UNKNOWN,) * NIC, Traffic()))
        self._quiet |= ended
        self._quiet -= running.keys()
        self._forget()
        for feed in self._feeds:
            feed.sampled(hosts, nics)

    def _enter_host(self, host: str, used: HostUsed) -> bool:
        cpus, memory = self._size_of(host)
        told = self._traffic.get(host)
        values = (
            used.cpu if used.cpu != NOT_KNOWN else UNKNOWN,
            min(100, 100 * used.memory // memory) if used.memory and memory else UNKNOWN,
            UNKNOWN if used.load is None or not cpus else min(UNKNOWN - 1, round(100 * used.load / cpus)),
            UNKNOWN if told is None else rate_byte(sum(one.received for one in told.values())),
            UNKNOWN if told is None else rate_byte(sum(one.sent for one in told.values())),
        )
        track = self.hosts.get(host)
        if track is None:
            self.hosts[host] = Track(self.sample, tuple(bytes((value,)) for value in values), used)
            return True
        return track.enter(self.sample, values, used)

    def _enter_nic(self, nic: str, traffic: Traffic) -> bool:
        values = (rate_byte(traffic.received), rate_byte(traffic.sent))
        track = self.nics.get(nic)
        if track is not None:
            return track.enter(self.sample, values, traffic)
        return self.add_nic(nic, Track(self.sample, tuple(bytes((value,)) for value in values), traffic))

    def add_nic(self, nic: str, track: Track) -> bool:
        """Begin to keep an interface's samples; False if there are too many already."""
        if len(self.nics) >= MOST_NICS:
            return False
        self.nics[nic] = track
        self.nics_of.setdefault(nic.rpartition("/")[0], set()).add(nic)
        return True

    def _forget(self) -> None:
        """Drop what nothing has been known of for as long as samples are kept."""
        hosts = [host for host, track in self.hosts.items() if self._is_over(track)]
        nics = [nic for nic in self._quiet if self._is_over(self.nics[nic])]
        self._forgotten([*hosts, *nics])
        for host in hosts:
            del self.hosts[host]
        for nic in nics:
            del self.nics[nic]
            self._quiet.discard(nic)
            node = nic.rpartition("/")[0]
            self.nics_of[node].discard(nic)
            if not self.nics_of[node]:
                del self.nics_of[node]

    def _forgotten(self, keys: Collection[str]) -> None:
        if keys:
            for feed in self._feeds:
                feed.forgotten(keys)

    def _is_over(self, track: Track) -> bool:
        return self.sample - track.last >= SAMPLES and all(line[-1] == UNKNOWN for line in track.lines)

    # --- asked -----------------------------------------------------------------------------------

    def host_now(self, host: str) -> tuple[HostUsed, int, int] | None:
        """How busy a host is, and what its nodes receive and send, in bytes a second."""
        track = self.hosts.get(host)
        if track is None or not isinstance(track.now, HostUsed):
            return None
        told = (self._traffic.get(host) or {}).values()
        return track.now, sum(one.received for one in told), sum(one.sent for one in told)

    def of_host(self, host: str, count: int) -> HostLoad | None:
        """A host's newest samples, so many at most; None if nothing is known of it."""
        found = self.host_now(host)
        if found is None:
            return None
        used, received, sent = found
        cpu, memory, load, into, out = self.hosts[host].upto(self.sample, count)
        return HostLoad(host, cpu, memory, load, into, out, used.memory, used.load, received, sent)

    def of_nic(self, nic: str, count: int) -> NicLoad | None:
        """An interface's newest samples, likewise."""
        track = self.nics.get(nic)
        if track is None or not isinstance(track.now, Traffic):
            return None
        (received, sent), now = track.upto(self.sample, count), track.now
        return NicLoad(
            nic, received, sent, now.received, now.sent, now.packets_received, now.packets_sent, now.errors,
            now.drops,
        )  # fmt: skip

    def watch(self, wake: Callable[[], None], nics: bool) -> Feed:
        """What a watcher is to be told; `wake` is called when there is something."""
        feed = Feed(self, wake, nics)
        self._feeds.add(feed)
        return feed

    def unwatch(self, feed: Feed) -> None:
        """The watcher is gone."""
        self._feeds.discard(feed)


class Feed:
    """What one watcher has been told, and is to be told."""

    def __init__(self, history: History, wake: Callable[[], None], nics: bool) -> None:
        self.due = False
        """Whether there is something to tell."""
        self.nics = nics
        """Whether it is told of interfaces, too."""
        self._history = history
        self._wake = wake
        self._dirty_hosts: set[str] = set()
        self._dirty_nics: set[str] = set()
        self._told: set[str] = set()
        """The hosts' names and the interfaces whose history was sent."""
        self._sample = 0

    def sampled(self, hosts: Iterable[str], nics: Iterable[str]) -> None:
        """A sample was taken, in which these changed."""
        self._dirty_hosts.update(hosts)
        if self.nics:
            self._dirty_nics.update(nics)
        self.due = True
        self._wake()

    def anew(self) -> None:
        """The watcher begins with a snapshot: it knows nothing."""
        self._told.clear()
        self._dirty_hosts = set(self._history.hosts)
        self._dirty_nics = set(self._history.nics) if self.nics else set()
        self.due = True

    def shown(self, ids: Iterable[str], gone: Iterable[str]) -> None:
        """These records were shown to the watcher, or taken from its view."""
        history = self._history
        for record_id in gone:
            self._told.discard(record_id.removeprefix("host:"))
            self._told.difference_update(self._history.nics_of.get(record_id, ()))  # Others may see it still.
        for record_id in ids:
            name = record_id.removeprefix("host:")
            if name != record_id:
                new = {name} & history.hosts.keys() - self._told
                self._dirty_hosts |= new
            else:
                new = set(self._history.nics_of.get(record_id, ())) - self._told if self.nics else set()
                self._dirty_nics |= new
            self.due = self.due or bool(new)

    def forgotten(self, keys: Iterable[str]) -> None:
        """Nothing is kept of these hosts and interfaces any more."""
        self._told.difference_update(keys)
        self._dirty_nics.difference_update(keys)

    def frames(self, sees: Callable[[str], bool]) -> Iterator[wire.Load]:
        """What is to be told of the hosts and nodes that the watcher sees, by the ids of their records.

        One frame at least, so that the watcher knows that there was a sample.
        """
        history, since = self._history, self._sample
        hosts, self._dirty_hosts = self._dirty_hosts, set()
        nics, self._dirty_nics = self._dirty_nics, set()
        self.due, self._sample = False, history.sample

        def lacks(key: str) -> int:
            return max(1, history.sample - since) if key in self._told else SAMPLES

        loads = []
        for host in sorted(hosts):
            if sees(f"host:{host}") and (load := history.of_host(host, lacks(host))) is not None:
                self._told.add(host)
                loads.append(load)
        some: list[NicLoad] = []
        for nic in nics:
            if not sees(nic.rpartition("/")[0]) or (one := history.of_nic(nic, lacks(nic))) is None:
                continue
            self._told.add(nic)
            some.append(one)
            if len(some) == PER_FRAME:
                yield wire.Load(history.time, history.step, (), tuple(some))
                some = []
        yield wire.Load(history.time, history.step, tuple(loads), tuple(some))
