"""The last hour of hosts and interfaces: what is kept, told and mirrored, also across a restart."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot import wire
from pilot.agent import history as module
from pilot.agent.history import SAMPLES, Feed, History
from pilot.agent.history_file import HistoryFile, _File, restore
from pilot.backends.provider import NOT_KNOWN, HostUsed, Traffic
from pilot.loads import Loads
from pilot.wire.load_frames import UNKNOWN, byte_rate, rate_byte
from tests.support.waiting import until

GONE = bytes((UNKNOWN,))
MEMORY = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1.7e9

    def __call__(self) -> float:
        return self.now


class Site:
    """A history with two hosts of 4 processors, sampled by hand."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.history = History(self.clock, lambda name: (4, MEMORY) if name.startswith("h") else (0, 0))
        self.number = 0

    def pass_time(self, samples: int = 1) -> None:
        for _ in range(samples):
            self.number += 1
            self.clock.now += self.history.step
            self.history.take(self.number)

    def feed(self, nics: bool = True) -> Feed:
        feed = self.history.watch(lambda: None, nics)
        feed.anew()
        return feed


def test_a_host_sample_by_sample() -> None:
    site = Site()
    site.history.used("h1", HostUsed(10, MEMORY // 4, 1.0))
    site.pass_time(2)
    site.history.used("h1", HostUsed(20, MEMORY // 2, 8.0))
    site.history.carried("h1", {"n1/0": Traffic(1000, 0), "n2/0": Traffic(24, 7)})
    site.pass_time()
    site.history.used("h1", HostUsed())
    site.history.carried("h1", None)
    site.pass_time(2)
    load = site.history.of_host("h1", SAMPLES)
    assert load is not None
    assert list(load.cpu) == [10, 10, 20, UNKNOWN, UNKNOWN]
    assert list(load.memory) == [25, 25, 50, UNKNOWN, UNKNOWN]
    assert list(load.load) == [25, 25, 200, UNKNOWN, UNKNOWN]
    assert list(load.received) == [UNKNOWN, UNKNOWN, rate_byte(1024), UNKNOWN, UNKNOWN]
    assert (load.memory_now, load.load_now, load.received_now) == (0, None, 0)
    nic = site.history.of_nic("n1/0", SAMPLES)
    assert nic is not None
    assert list(nic.received) == [rate_byte(1000), UNKNOWN, UNKNOWN]
    assert site.history.of_host("h9", 5) is None
    assert site.history.of_nic("n9/0", 5) is None


def test_what_is_not_known_of_a_host_is_not_made_up() -> None:
    site = Site()
    site.history.used("other", HostUsed(NOT_KNOWN, 500, 1e9))
    site.pass_time()
    load = site.history.of_host("other", 1)
    assert load is not None
    assert load.cpu + load.memory + load.load == GONE * 3


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NICS", 50)
    site = Site()
    site.history.carried("h1", {f"n{n}/0": Traffic(n) for n in range(60)})
    site.pass_time()
    assert len(site.history.nics) == 50
    site.history.carried("h1", {"n0/0": Traffic(5)})
    for value in range(SAMPLES + 5):
        site.history.used("h1", HostUsed(value % 100))
        site.pass_time()
    assert {len(line) for line in site.history.hosts["h1"].lines} == {SAMPLES}
    # What nothing has been known of for an hour is forgotten.
    assert set(site.history.nics) == {"n0/0"}
    assert site.history.nics_of == {"n0": {"n0/0"}}
    site.history.gone("n0")
    assert not site.history.nics
    assert not site.history.nics_of


rates = st.floats(0, 1e12)


@given(rates)
def test_a_rate_comes_back_about_as_it_was(rate: float) -> None:
    byte = rate_byte(rate)
    assert 0 <= byte < UNKNOWN
    back = byte_rate(byte)
    assert back is not None
    if 1 <= rate < 3e9:
        assert back == pytest.approx(rate, rel=0.1, abs=1)


@given(rates, rates)
def test_a_higher_rate_is_no_lower_byte(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert rate_byte(low) <= rate_byte(high)


def test_no_rate() -> None:
    assert rate_byte(0) == rate_byte(-5) == rate_byte(float("nan")) == 0
    assert rate_byte(0.01) == 1
    assert byte_rate(0) == 0.0
    assert byte_rate(UNKNOWN) is None


step = st.one_of(
    st.tuples(st.just("used"), st.sampled_from(["h1", "h2"]), st.integers(0, 100)),
    st.tuples(st.just("carried"), st.sampled_from(["h1", "h2"]), st.integers(-1, 3)),
    st.tuples(st.just("pass"), st.just(""), st.integers(1, 5)),
    st.tuples(st.just("read"), st.just(""), st.just(0)),
    st.tuples(st.just("anew"), st.just(""), st.just(0)),
)


@settings(max_examples=80)
@given(st.lists(step, max_size=40))
def test_a_mirror_has_what_airboss_has(steps: list[tuple[str, str, int]]) -> None:
    """However its frames are bundled, and whatever is left out of them."""
    site, mirror = Site(), Loads()
    feed = site.feed()

    def read() -> None:
        for frame in feed.frames(lambda _id: True):
            decoded = wire.decode_server(wire.encode(frame)[4:])
            assert isinstance(decoded, wire.Load)
            mirror.take(decoded)

    for what, host, number in [*steps, ("pass", "", 1), ("read", "", 0)]:
        if what == "used":
            site.history.used(host, HostUsed(number, number * 1000, number / 10))
        elif what == "carried":
            traffic = {f"{host}n/{n}": Traffic(100 * n, number) for n in range(number)}
            site.history.carried(host, None if number < 0 else traffic)
        elif what == "pass":
            site.pass_time(number)
        elif what == "anew":
            feed.anew()
            mirror.begin_anew()
            read()
        else:
            read()
    for host in site.history.hosts:
        theirs = mirror.host(host)
        assert theirs is not None
        # Sums of traffic that stay in one byte are not told again.
        exact = site.history.of_host(host, len(theirs.cpu))
        assert exact is not None
        for name in ("cpu", "memory", "load", "received", "sent", "memory_now", "load_now"):
            assert getattr(theirs, name) == getattr(exact, name), name
    for nic in site.history.nics:
        known = mirror.nic(nic)
        assert known is not None
        assert known == site.history.of_nic(nic, len(known.received))


def test_a_watcher_is_told_of_what_it_sees_only() -> None:
    site = Site()
    site.history.used("h1", HostUsed(1))
    site.history.used("h2", HostUsed(2))
    site.history.carried("h1", {"n1/0": Traffic(1), "n2/0": Traffic(2), "n2/1": Traffic(3)})
    hosts_only = site.feed(nics=False)
    watched = [site.history.nics_watched]
    feed = site.feed()
    assert [*watched, site.history.nics_watched] == [False, True]
    site.pass_time()
    (frame,) = feed.frames(lambda record_id: record_id in ("host:h2", "n2"))
    assert [host.host for host in frame.hosts] == ["h2"]
    assert sorted(nic.nic for nic in frame.nics) == ["n2/0", "n2/1"]
    (frame,) = hosts_only.frames(lambda _id: True)
    assert [host.host for host in frame.hosts] == ["h1", "h2"]
    assert frame.nics == ()
    assert [feed.due] == [False]
    # What comes into view is told with its whole past, once.
    site.pass_time(2)
    list(feed.frames(lambda _id: False))
    feed.shown(["host:h1", "n1", "n2", "cluster:vc1"], [])
    assert [feed.due] == [True]
    (frame,) = feed.frames(lambda _id: True)
    assert [(host.host, len(host.cpu)) for host in frame.hosts] == [("h1", 3)]
    assert [(nic.nic, len(nic.sent)) for nic in frame.nics] == [("n1/0", 3)]
    feed.shown(["host:h1", "n1"], [])
    assert [feed.due] == [False]
    feed.shown([], ["host:h1", "n1"])
    feed.shown(["host:h1", "n1"], [])
    assert [feed.due] == [True]
    site.history.unwatch(feed)
    site.pass_time()


async def test_it_survives_a_restart_with_a_gap(tmp_path: Path) -> None:
    site = Site()
    site.history.used("h1", HostUsed(42, MEMORY // 2, 2.0))
    site.history.carried("h1", {"n1/0": Traffic(1000, 2000)})
    site.pass_time(100)
    folder = tmp_path / "history"
    await HistoryFile(folder, site.history, site.clock).save()
    assert [path.name for path in folder.iterdir()] == ["load"]
    site.clock.now += 95  # airboss is away
    later = Site(site.clock)
    await HistoryFile(folder, later.history, later.clock).load()
    later.number = later.history.sample
    later.history.used("h1", HostUsed(7))
    later.pass_time()
    load = later.history.of_host("h1", SAMPLES)
    assert load is not None
    assert list(load.cpu) == [42] * 100 + [UNKNOWN] * 10 + [7]
    nic = later.history.of_nic("n1/0", SAMPLES)
    assert nic is not None
    assert list(nic.sent) == [rate_byte(2000)] * 100 + [UNKNOWN] * 11
    assert nic.sent_now == 0
    # Once more, before anything is known: the gap grows, nothing is invented.
    await HistoryFile(folder, later.history, later.clock).save()
    site.clock.now += SAMPLES * later.history.step
    old = Site(site.clock)
    await HistoryFile(folder, old.history, old.clock).load()
    assert not old.history.hosts


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x78\x01\x03\x00\x00\x00\x00\x01", os.urandom(300)])
async def test_a_damaged_file_begins_anew(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "load").write_bytes(data)
    site = Site()
    file = HistoryFile(tmp_path, site.history, site.clock)
    await file.load()
    assert not site.history.hosts
    site.history.used("h1", HostUsed(1))
    site.pass_time()
    await file.save()
    again = Site(site.clock)
    await HistoryFile(tmp_path, again.history, again.clock).load()
    assert set(again.history.hosts) == {"h1"}


async def test_half_a_file_is_never_read(tmp_path: Path) -> None:
    """The old one stays until the new one is whole; what is left of a crash is written over."""
    site = Site()
    site.history.used("h1", HostUsed(1))
    site.pass_time()
    file = HistoryFile(tmp_path, site.history, site.clock)
    await file.save()
    (tmp_path / "load.new").write_bytes(b"half")
    again = Site(site.clock)
    await HistoryFile(tmp_path, again.history, again.clock).load()
    assert set(again.history.hosts) == {"h1"}
    await file.save()
    assert not (tmp_path / "load.new").exists()


async def test_a_disk_that_does_not_take_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    site.pass_time()
    (tmp_path / "history").write_text("in the way")
    file = HistoryFile(tmp_path / "history", site.history, site.clock)
    for _ in range(3):
        await file.save()
    assert len([r for r in caplog.records if "is not kept" in r.message]) == 1


async def test_files_that_do_not_fit_are_passed_over() -> None:
    def kept(**changes: object) -> _File:
        whole = _File(1, 1.7e9, 10.0, {"h1": (b"\x01" * 3,) * 5}, {"n1/0": (b"\x01", b"\x02")})
        return msgspec.structs.replace(whole, **changes)

    def hosts(file: _File, now: float = 1.7e9 + 10) -> set[str]:
        site = Site()
        restore(site.history, file, now)
        return set(site.history.hosts) | set(site.history.nics)

    assert hosts(kept()) == {"h1", "n1/0"}
    odd = [kept(time=time) for time in (math.nan, math.inf, -math.inf, 1e300)]
    for wrong in (kept(v=2), kept(step=5.0), kept(step=0.0), kept(time=1.0), *odd):
        assert hosts(wrong) == set()
    assert hosts(kept(hosts={"h1": (b"\x01",) * 4})) == {"n1/0"}
    assert hosts(kept(hosts={"h1": (b"\x01", b"", b"", b"", b"")})) == {"n1/0"}
    # A clock that was set back leaves a gap of one sample.
    assert hosts(kept(), 1.7e9 - 500) == {"h1", "n1/0"}


async def test_samples_are_taken_by_the_clock() -> None:
    site = Site()
    site.history.step = 0.05
    site.history.used("h1", HostUsed(3))
    task = asyncio.create_task(site.history.run())

    def taken() -> bool:
        load = site.history.of_host("h1", 9)
        return load is not None and load.cpu[:3] == b"\3\3\3"

    await until(taken, 5)
    task.cancel()


def test_a_watcher_keeps_nothing_of_interfaces_that_went() -> None:
    site = Site()
    feed = site.feed()
    for number in range(50):
        site.history.carried("h1", {f"n{number}/0": Traffic(10, 20)})
        site.pass_time()
        list(feed.frames(lambda _: True))
        site.history.gone(f"n{number}")
        feed.shown((), [f"n{number}"])
    site.history.carried("h1", {})
    site.pass_time(SAMPLES + 2)
    list(feed.frames(lambda _: True))
    assert not [told for told in feed._told if "/" in told]
