"""What was under way when airboss stopped, was killed, lost its host, or lost who had asked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import libvirt
import pytest

from pilot.agent.journal_read import Filter
from pilot.errors import PilotError
from pilot.journal import Record
from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import act, nodes_of, read, wait_state
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    """One host with one node of vc1."""
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 1)
    return site


async def known(site: Site) -> Link:
    """ada's connection, once airboss knows her node."""
    link = await site.ada.link()

    async def there() -> bool:
        return len(await nodes_of(link)) == 1

    await until(there, what="the node is known")
    return link


def start_slowly(site: Site, seconds: float) -> None:
    """Have the node's QEMU take so long before it answers libvirt."""
    vm = site.vms[0]
    xml = vm.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    real = re.search("<emulator>(.*?)</emulator>", xml)
    assert real is not None
    slow = site.hosts[0].folder.parent / "slow-qemu"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *guest=*) sleep {seconds};; esac\nexec {real[1]} "$@"\n')
    slow.chmod(0o755)
    vm.domain = vm.connection.defineXML(xml.replace(real[0], f"<emulator>{slow}</emulator>"))


async def journal(site: Site, *words: str) -> list[dict[str, Any]]:
    shown = await site.airboss.admin("journal", "show", "--json", *words)
    return [json.loads(line) for line in shown.splitlines()]


async def begun(site: Site, verb: str) -> None:
    """Await that it was asked for; what follows in a test comes while it is under way."""

    async def intended() -> bool:
        return any(record.verb == verb for record in await site.airboss.journal(Filter(open=True)))

    await until(intended, 40, f"{verb} is in the journal")


async def settled(site: Site) -> None:
    """Await that every request has its outcome."""

    async def none_open() -> bool:
        return await site.airboss.journal(Filter(open=True)) == []

    await until(none_open, 40, "its outcome is in the journal")


async def looked(site: Site) -> list[dict[str, Any]]:
    """What recovery found, once it has."""

    async def found() -> list[Record]:
        return await site.airboss.journal(Filter(verb="airboss.recover"))

    await until(found, 40, "recovery has looked")
    return await journal(site, "--verb", "airboss.recover")


async def _moment(then: float) -> None:
    """Await a moment of the monotonic clock: a hang must last, whatever has been noticed of it."""
    await until(lambda: time.monotonic() > then, every=0.1)


async def test_a_start_that_outlasts_a_stop_of_airboss_is_ended_by_the_next(site: Site) -> None:
    start_slowly(site, 8)
    link = await known(site)
    on = asyncio.create_task(act(link, "on", "compute-0-0"))
    await begun(site, "power.on")
    assert await site.airboss.stop() == 0
    await asyncio.gather(on, return_exceptions=True)
    await site.airboss.start()
    async with await known(site) as again:
        await wait_state(again, "compute-0-0", "on")
    (look,) = await looked(site)
    assert look["result"] == "resumed"
    assert site.vms[0].state == libvirt.VIR_DOMAIN_RUNNING
    await site.airboss.admin("journal", "verify")


async def test_a_start_that_a_stop_of_airboss_can_wait_for_ends_well(site: Site) -> None:
    start_slowly(site, 1.5)
    link = await known(site)
    on = asyncio.create_task(act(link, "on", "compute-0-0"))
    await begun(site, "power.on")
    assert await site.airboss.stop() == 0
    await asyncio.gather(on, return_exceptions=True)
    assert site.vms[0].state == libvirt.VIR_DOMAIN_RUNNING
    outcome = (await journal(site, "--verb", "power.on"))[-1]
    assert [item["result"] for item in outcome["result"]] == ["done"]


async def test_an_interrupted_start_is_remembered_while_its_host_is_away(site: Site) -> None:
    start_slowly(site, 3)
    link = await known(site)
    on = asyncio.create_task(act(link, "on", "compute-0-0"))
    await begun(site, "power.on")
    await site.airboss.kill()
    await asyncio.gather(on, return_exceptions=True)
    up = [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER]

    async def waits() -> bool:  # in a thread: libvirt answers only when QEMU does
        return bool(await asyncio.to_thread(site.vms[0].domain.state) == up)

    await until(waits, 40, "it came up, with nobody there")
    site.hosts[0].kill()
    await site.airboss.start()
    assert await site.airboss.stop() == 0
    await asyncio.to_thread(site.hosts[0].start)
    await site.airboss.start()
    async with await known(site) as again:
        await wait_state(again, "compute-0-0", "on")
        (look,) = await looked(site)
        assert look["result"] == "resumed"
        # Once only: what a person pauses by whatever means stays so.
        (pausing,) = await act(again, "pause", "compute-0-0")
        assert pausing.result == "done"
    await site.airboss.kill()
    await site.airboss.start()
    async with await known(site) as again:
        await wait_state(again, "compute-0-0", "paused")


async def test_closing_the_channel_cancels_and_frees_the_node(site: Site) -> None:
    async with await known(site) as link:
        await act(link, "on", "compute-0-0")
        second = await site.ada.link()
        waiting = asyncio.create_task(act(second, "shutdown", "compute-0-0", grace=600.0, then="off"))
        await begun(site, "power.shutdown")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await settled(site)
        (paused,) = await act(link, "pause", "compute-0-0")
        assert paused.result == "done", paused
        await second.close()


async def test_a_power_off_does_not_wait_for_a_guest_that_somebody_asked_to_shut_down(site: Site) -> None:
    async with await known(site) as link, await site.ada.link() as second:
        await act(link, "on", "compute-0-0")
        waiting = asyncio.create_task(act(second, "shutdown", "compute-0-0", grace=600.0))
        await begun(site, "power.shutdown")
        (off,) = await act(link, "off", "compute-0-0")
        assert (off.result, off.state) == ("done", "off"), off
        (shutdown,) = await waiting
        assert shutdown.result in ("failed", "done"), shutdown  # done: the guest was quicker
        if shutdown.fault is not None:
            assert "power.off came in between" in shutdown.fault.message


async def test_nothing_more_comes_of_a_shutdown_whose_signer_was_removed(site: Site) -> None:
    async with await known(site) as link:
        await act(link, "on", "compute-0-0")
        console = await read(link, "compute-0-0")  # before its system listens to the power button
        waiting = asyncio.create_task(act(link, "shutdown", "compute-0-0", grace=20.0, then="off"))
        await begun(site, "power.shutdown")
        await site.airboss.admin("key", "remove", "vc1", site.ada.fingerprint)
        with pytest.raises(PilotError):
            await waiting
        await console.close()
    await settled(site)
    outcome = (await journal(site, "--verb", "power.shutdown"))[-1]
    (item,) = outcome["result"]
    assert item["result"] == "unknown"
    assert "given up" in item["fault"]["message"]


async def test_airboss_outlives_libvirtds_that_stop_and_go_on(site: Site) -> None:
    """Whoever lets two threads into one connection of libvirt before 10.4 ends here by SIGSEGV."""
    async with await known(site) as link:
        await act(link, "on", "compute-0-0")
        assert site.airboss.process is not None
        pid = site.hosts[0].pid
        assert pid is not None

        async def stale() -> bool:
            return (await nodes_of(link))["compute-0-0"].stale_since is not None

        async def fresh() -> bool:
            return not await stale()

        for _ in range(3):
            os.kill(pid, signal.SIGSTOP)
            until_then = time.monotonic() + 6
            try:
                asked = asyncio.create_task(act(link, "reset", "compute-0-0"))
                await until(stale, 40, "the stopped libvirtd is noticed")
                await asyncio.wait_for(asyncio.gather(asked, return_exceptions=True), 60)
                await asyncio.wait_for(_moment(until_then), 30)
            finally:
                os.kill(pid, signal.SIGCONT)
            await until(fresh, 40, "the host is back")
            assert site.airboss.process.returncode is None
            (paused,) = await act(link, "pause", "compute-0-0")
            assert paused.result == "done", paused
            (resumed,) = await act(link, "resume", "compute-0-0")
            assert resumed.result == "done", resumed
    assert await site.airboss.stop() == 0
