"""The parts that need no hypervisor: states, readings that overlap, words of errors, lanes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libvirt
import pytest

from pilot.backends.libvirt.domain_xml import Drive, Facts, Membership
from pilot.backends.libvirt.domains import Domains, Seen, state_of
from pilot.backends.libvirt.faults import hint, translate
from pilot.backends.libvirt.lane import Lanes
from pilot.errors import BusyError, DeadlineError, UnreachableError
from pilot.records import Disk
from tests.support.waiting import until

STARTED, STOPPED = libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STOPPED
SUSPENDED, RESUMED = libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED


def seen(state: Any, name: str = "a", cluster: str = "vc1") -> Seen:
    return Seen("u", name, state, True, Facts("u", name, Membership(cluster, name)))


def test_a_reading_never_undoes_an_event_or_a_later_reading() -> None:
    domains = Domains("h", clock=iter(range(100)).__next__)
    first = domains.begin()
    assert domains.see(seen("off"), first)
    early, late = domains.begin(), domains.begin()
    assert domains.lifecycle("u", RESUMED, 0) == (True, "")
    assert domains.node("u").state == "on"
    assert not domains.see(seen("off"), early)  # it was read before the event, or may have been
    assert domains.see(seen("off", cluster="vc2"), late)
    assert (domains.node("u").state, domains.node("u").cluster) == ("on", "vc2")
    assert not domains.see(seen("off", cluster="vc1"), early)
    assert domains.node("u").cluster == "vc2"
    assert domains.remove(["u"], early) == []
    assert domains.see(seen("paused", cluster="vc2"), domains.begin())
    assert domains.remove(["u", "v"], domains.begin()) == ["u"]


def test_since_is_when_the_state_was_entered() -> None:
    now = [10.0]
    domains = Domains("h", clock=lambda: now[0])
    domains.see(seen("off"), domains.begin())
    now[0] = 20.0
    domains.see(seen("off"), domains.begin())
    assert domains.node("u").since == 10.0
    domains.lifecycle("u", RESUMED, 0)
    assert domains.node("u").since == 20.0
    assert [node.stale_since for node in domains.stale(25.0)] == [25.0]
    assert domains.stale(25.0) == []
    assert domains.node("u").state == "on"


def test_one_that_is_started_paused_is_never_on() -> None:
    """Its events may come a while apart: who looks in between must not take it for one that runs."""
    domains = Domains("h", clock=lambda: 0.0)
    domains.see(seen("off"), domains.begin())
    early = domains.begin()
    assert domains.lifecycle("u", STARTED, 0) == (False, "details")
    assert not domains.see(seen("off"), early)
    assert domains.lifecycle("u", SUSPENDED, 0) == (True, "")
    assert domains.node("u").state == "paused"


def test_one_that_is_started_is_on_as_an_event_before_or_a_reading_afterwards_says() -> None:
    domains = Domains("h", clock=lambda: 0.0)
    domains.see(seen("off"), domains.begin())
    assert domains.lifecycle("u", RESUMED, 0) == (True, "")
    assert domains.lifecycle("u", STARTED, 0) == (False, "details")
    assert domains.node("u").state == "on"
    domains.lifecycle("u", STOPPED, 1)
    assert domains.lifecycle("u", STARTED, 0) == (False, "details")
    assert domains.see(seen("on"), domains.begin())
    assert domains.node("u").state == "on"


def test_one_that_is_started_is_on_where_the_driver_says_no_more() -> None:
    domains = Domains("h", clock=lambda: 0.0)
    domains.see(seen("off"), domains.begin())
    assert domains.lifecycle("u", STARTED, 0, resumes=False) == (True, "details")
    assert domains.node("u").state == "on"


def test_a_hang_ends_with_its_qemu() -> None:
    domains = Domains("h", clock=lambda: 0.0)
    domains.see(seen("on"), domains.begin())
    assert domains.hung("u", 1700)
    assert not domains.hung("u", 1700)
    domains.lifecycle("u", STOPPED, 1)
    assert domains.node("u").hung_ms is None


def test_sizes_stay_with_what_they_are_of() -> None:
    domains = Domains("h", clock=lambda: 0.0)
    first = Drive(Disk("vda", source="a.img"), "/x/a.img")
    other = Drive(Disk("vda", source="b.img"), "/x/b.img")

    def show(drive: Drive) -> None:
        facts = Facts("u", "a", drives=(drive,))
        domains.see(Seen("u", "a", "off", True, facts), domains.begin())

    def size() -> int:
        return domains.node("u").disks[0].size

    show(first)
    assert domains.take_unmeasured() == {"u"}
    assert domains.measured("u", {first: 1024})
    assert not domains.measured("u", {first: 1024})
    assert not domains.measured("u", {first: 0, other: 5})  # QEMU was busy; it is another one's
    show(first)
    assert size() == 1024
    assert domains.take_unmeasured() == set()
    show(other)
    assert size() == 0
    assert domains.take_unmeasured() == {"u"}
    assert not domains.measured("gone", {first: 1})


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        (libvirt.VIR_DOMAIN_RUNNING, 1, "on"),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER, "paused"),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP, "off"),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, "crashed"),
        (libvirt.VIR_DOMAIN_SHUTOFF, 0, "off"),
        (99, 0, "unknown"),
    ],
)
def test_words_for_states(state: int, reason: int, word: str) -> None:
    assert state_of(state, reason) == word


def raised(text: str) -> libvirt.libvirtError:
    """An error with this text: made in a thread of its own, since libvirt adds a thread's last one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(libvirt.libvirtError, text).result()


def test_errors_lose_the_noise_and_gain_a_hint() -> None:
    text = (
        "internal error: qemu unexpectedly closed the monitor: 2026-11-22T16:28:20.154667Z "
        'qemu-system-x86_64: -device {"driver":"ide-hd","bus":"ide.0"}: Failed to get "write" lock\n'
        "Is another process using the image [/vm/disk.img]?"
    )
    error = translate(raised(text), "turning on compute-0-0", "host-1")
    assert error.message == (
        'turning on compute-0-0 failed: Failed to get "write" lock '
        "Is another process using the image [/vm/disk.img]?"
    )
    assert "same disk" in error.hint
    lost = translate(raised("internal error: client socket is closed"), "resetting", "host-1")
    assert isinstance(lost, UnreachableError)
    assert "host-1" in lost.message
    assert translate(lost, "x", "y") is lost
    assert hint("nothing that is known") == ""
    away = "Failed to connect socket to '/run/vm/libvirt-sock': No such file or directory"
    told = translate(raised(away), "resetting", "host-1")
    assert told.message == "resetting failed: host host-1: it cannot be reached"
    assert len(translate(raised("x\x1b[2J" * 200), "a", "b").message) < 400


async def lanes(**settings: Any) -> Lanes:
    made = Lanes("h", "test:///default", purpose="testing", **settings)
    await made.call("warming", lambda raw: raw.getType(), 5)
    return made


async def test_calls_run_side_by_side_on_as_many_lanes_as_open_at_once() -> None:
    here = await lanes(eager=4, spare=3)
    barrier = threading.Barrier(4)
    await asyncio.gather(*(here.call("meeting", lambda _raw: barrier.wait(5), 10) for _ in range(4)))
    await asyncio.to_thread(_join, here.close("the test is over"))
    with pytest.raises(UnreachableError, match="the test is over"):
        await here.call("late", lambda raw: None, 1)


async def test_an_error_of_a_call_is_raised_as_it_is() -> None:
    here = await lanes()
    with pytest.raises(libvirt.libvirtError, match="not found"):
        await here.call("looking", lambda raw: raw.lookupByName("nobody"), 5)
    here.close("over")


async def test_stuck_calls_are_left_behind_until_the_bound_is_reached() -> None:
    here = await lanes(spare=2, patience=0.1)
    free = threading.Event()
    for number in range(3):
        with pytest.raises(DeadlineError, match=r"has not answered for 0\.2 s"):
            await here.call("hanging", lambda _raw: free.wait(30), 0.2)
        assert here.stuck == number + 1
    with pytest.raises(BusyError, match="do not come back"):
        await here.call("one more", lambda raw: raw.getType(), 5)
    free.set()
    await until(lambda: here.stuck == 0, 20, "the calls came back")
    assert await here.call("again", lambda raw: raw.getType(), 5) == "TEST"
    here.close("over")


async def test_slow_calls_within_their_deadline_do_not_block_others() -> None:
    here = await lanes(spare=4, patience=0.2)
    free = threading.Event()
    slow = [asyncio.create_task(here.call("slow", lambda _raw: free.wait(30), 60)) for _ in range(4)]
    assert await asyncio.wait_for(here.call("quick", lambda raw: raw.getType(), 5), 5) == "TEST"
    free.set()
    assert await asyncio.gather(*slow) == [True] * 4
    here.close("over")


async def test_who_goes_away_while_waiting_is_not_called_for() -> None:
    here = await lanes(spare=0)
    free, called = threading.Event(), []
    slow = asyncio.create_task(here.call("slow", lambda _raw: free.wait(30), 60))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(here.call("waiting", lambda _raw: called.append(1), 60))
    await asyncio.sleep(0)
    waiting.cancel()
    free.set()
    await slow
    await here.call("after", lambda raw: raw.getType(), 5)
    assert not called
    here.close("over")


async def test_a_connection_that_cannot_be_opened_tells_all_who_wait() -> None:
    here = Lanes("h", "test+unix:///default?socket=/nowhere/socket", purpose="testing")
    told = await asyncio.gather(
        *(here.call("turning on a", lambda raw: raw.getType(), 5) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(error, UnreachableError) for error in told)
    assert str(told[0]) == "turning on a failed: host h: it cannot be reached"
    here.close("over")


async def test_what_is_dropped_is_told_at_once_and_lanes_begin_anew() -> None:
    here = await lanes(spare=1)
    free, began = threading.Event(), threading.Event()

    def hang(_raw: Any) -> str:
        began.set()
        free.wait(30)
        return "late"

    running = asyncio.create_task(here.call("running", hang, 60))
    await until(began.is_set)
    waiting = asyncio.create_task(here.call("waiting", lambda _raw: None, 60))
    await asyncio.sleep(0)
    here.drop("the host is down")
    with pytest.raises(DeadlineError, match="running: the host is down"):
        await running
    with pytest.raises(UnreachableError, match="waiting was not tried: the host is down"):
        await waiting
    assert here.stuck == 1
    assert await here.call("again", lambda raw: raw.getType(), 5) == "TEST"
    free.set()
    await until(lambda: here.stuck == 0, 20, "the dropped call came back, and its connection is closed")
    here.drop("nothing runs: nobody is told")
    assert await here.call("again", lambda raw: raw.getType(), 5) == "TEST"
    here.close("over")


async def test_calls_that_a_lost_host_never_answers_do_not_use_up_the_lanes() -> None:
    here = await lanes(spare=1)
    free = threading.Event()
    for number in range(5):
        hanging = asyncio.create_task(here.call("hanging", lambda _raw: free.wait(30), 60))
        await until(lambda: here.busy == 1)
        here.drop("the host is down")
        with pytest.raises(DeadlineError):
            await hanging
        assert here.stuck == number + 1
    assert await here.call("the host is back", lambda raw: raw.getType(), 5) == "TEST"
    free.set()
    await until(lambda: here.stuck == 0, 20, "all came back")
    here.close("over")


async def test_no_two_threads_are_ever_inside_one_connection() -> None:
    here = await lanes(eager=4, spare=3, patience=0.05)
    inside: dict[int, int] = {}
    most = 0

    def call(raw: Any) -> None:
        nonlocal most
        inside[id(raw)] = inside.get(id(raw), 0) + 1
        most = max(most, inside[id(raw)])
        raw.getType()
        inside[id(raw)] -= 1

    await asyncio.gather(*(here.call("calling", call, 10) for _ in range(500)))
    assert most == 1
    assert 1 <= len(inside) <= 4
    here.close("over")


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(5)
