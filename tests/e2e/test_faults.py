"""Hosts down, libvirtd killed, QEMU stopped, airboss killed in the middle: all made for real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import libvirt
import pytest

from pilot.errors import PilotError
from pilot.link.link import Link
from pilot.records import Host
from pilot.store import Store
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import act, nodes_of, read, wait_state
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@contextmanager
def stopped(pid: int | None) -> Iterator[None]:
    """SIGSTOP a process, SIGCONT it in the end if it is still there."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    """Two hosts: vc1 has two nodes on the first and one on the second."""
    site = await make_site(2)
    site.vms = nodes(site.hosts[0], "vc1", 2) + nodes(site.hosts[1], "vc1", 1, first=2)
    return site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    """The owner of vc1, connected; airboss knows her three nodes."""
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len(await nodes_of(link)) == 3

        await until(known, what="the nodes are known")
        yield link


class Watch:
    """A watcher's mirror, kept up to date."""

    def __init__(self, link: Link) -> None:
        self.store = Store()
        self._task = asyncio.create_task(self._run(link))

    async def _run(self, link: Link) -> None:
        async for frame in link.watch("vc1"):
            self.store.apply(frame)

    def host(self, name: str) -> Host | None:
        record = self.store.records.get(f"host:{name}")
        return record if isinstance(record, Host) else None

    async def close(self) -> None:
        self._task.cancel()


async def test_a_killed_libvirtd_is_told_and_the_other_host_goes_on(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    console = await read(ada, "compute-0-0")
    await console.expect(b"login: ")
    watch = Watch(ada)
    site.hosts[0].kill()

    async def told() -> bool:
        found = await nodes_of(ada)
        return found["compute-0-0"].stale_since is not None and found["compute-0-2"].stale_since is None

    await until(told, 40, "the nodes of the lost host are marked")
    assert (await nodes_of(ada))["compute-0-0"].state == "on"
    host = await until(lambda: watch.host("vm-container-0-0"))
    assert host.state != "up"
    assert host.detail
    (lost,) = await act(ada, "off", "compute-0-1")
    assert lost.result in ("failed", "unknown")
    assert lost.fault is not None
    assert lost.fault.hint
    (fine,) = await act(ada, "on", "compute-0-2")
    assert fine.result == "done"
    end = len(console.seen)
    site.hosts[0].start()

    async def back() -> bool:
        return (await nodes_of(ada))["compute-0-0"].stale_since is None

    await until(back, 60, "the host is back")
    end = await console.expect(b"console held again", after=end)  # a moment later; before, nothing is typed
    console.stream.type(b"root\r")
    await console.expect(b"Password: ", after=end, deadline=30)
    await console.close()
    await watch.close()


async def test_a_hung_libvirtd_is_noticed_and_slows_nobody_else(site: Site, ada: Link) -> None:
    with stopped(site.hosts[0].pid):

        async def told() -> bool:
            return (await nodes_of(ada))["compute-0-0"].stale_since is not None

        await until(told, 40, "the hung host is marked")
        (fine,) = await act(ada, "on", "compute-0-2")
        assert fine.result == "done"
        assert fine.seconds < 10

    async def back() -> bool:
        return (await nodes_of(ada))["compute-0-0"].stale_since is None

    await until(back, 40, "the host is back")


async def test_a_hung_qemu_is_named_and_its_neighbours_go_on(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    with stopped(site.vms[0].qemu_pid):

        async def named() -> bool:
            return (await nodes_of(ada))["compute-0-0"].hung_ms is not None

        await until(named, 60, "the hung node is named")
        (fine,) = await act(ada, "on", "compute-0-1")
        assert fine.result == "done"
        assert (await nodes_of(ada))["compute-0-1"].hung_ms is None
        (off,) = await act(ada, "off", "compute-0-0")
        assert (off.result, off.state) == ("done", "off"), off


async def test_a_host_that_is_down_at_start_is_said_and_comes_later(
    make_site: MakeSite, nodes: Callable[..., list[Vm]]
) -> None:
    site = await make_site(1, more={"dark": "qemu+unix:///session?socket=/nonexistent/libvirt-sock"})
    nodes(site.hosts[0], "vc1", 1)
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len(await nodes_of(link)) == 1

        await until(known, what="the other host's node is known")
    admin = await site.airboss.person("root", "*", "admin")
    async with await admin.link() as link:
        store = Store()
        async for frame in link.watch():
            store.apply(frame)
            dark = store.records.get("host:dark")
            if isinstance(dark, Host) and dark.detail:
                assert dark.state != "up"
                break


async def test_airboss_killed_in_the_middle_loses_no_vm_and_shows_the_open_intent(
    site: Site, ada: Link
) -> None:
    await act(ada, "on", "compute-0-0", "compute-0-2")
    with stopped(site.vms[0].qemu_pid):
        # A hung QEMU takes libvirt seconds to kill: airboss dies while it waits.
        off = asyncio.create_task(act(ada, "off", "compute-0-0"))

        async def intended() -> bool:
            shown = await site.airboss.admin("journal", "show", "--open", "--json")
            return "power.off" in shown

        await until(intended, 40, "the intent is in the journal")
        await site.airboss.kill()
    with pytest.raises(Exception, match=r"lost|ended|closed"):
        await off
    shown = await site.airboss.admin("journal", "show", "--open", "--json")
    assert "power.off" in shown
    await site.airboss.admin("journal", "verify")
    await site.airboss.start()
    async with await site.ada.link() as link:
        await wait_state(link, "compute-0-2", "on")
        assert "power.off" in await site.airboss.admin("journal", "show", "--open", "--json")

        async def known() -> bool:
            return "compute-0-0" in await nodes_of(link)

        # libvirtd answers for that host only when the QEMU that hung is gone.
        await until(known, 60, "the host with the hung node has been read")
        (on,) = await act(link, "boot", "compute-0-0")
        assert on.result == "done"


async def test_a_start_that_was_interrupted_before_its_first_instruction_runs_on(
    site: Site, ada: Link
) -> None:
    """What an airboss leaves that dies between starting a node paused and letting it run."""
    await act(ada, "on", "compute-0-0")
    await act(ada, "off", "compute-0-0")
    with stopped(site.hosts[0].pid):
        on = asyncio.create_task(act(ada, "on", "compute-0-0"))

        async def intended() -> bool:
            return "power.on" in await site.airboss.admin("journal", "show", "--open", "--json")

        await until(intended, 40, "the intent is in the journal")
        await site.airboss.kill()
    with pytest.raises(Exception, match=r"lost|ended|closed"):
        await on
    if site.vms[0].state == libvirt.VIR_DOMAIN_SHUTOFF:
        site.vms[0].start(paused=True)
    await site.airboss.start()
    async with await site.ada.link() as link:
        await wait_state(link, "compute-0-0", "on")


async def test_a_paused_node_stays_paused_over_a_restart_of_airboss(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    await act(ada, "pause", "compute-0-0")
    await site.airboss.kill()
    await site.airboss.start()
    async with await site.ada.link() as link:
        await wait_state(link, "compute-0-0", "paused")


async def test_a_client_that_goes_away_leaves_an_outcome(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    async with await site.ada.link() as second:
        waiting = asyncio.create_task(act(second, "shutdown", "compute-0-0", grace=300.0))

        async def intended() -> bool:
            return "power.shutdown" in await site.airboss.admin("journal", "show", "--open", "--json")

        await until(intended, 40)
        waiting.cancel()

    async def settled() -> bool:
        return await site.airboss.admin("journal", "show", "--open", "--json") == ""

    await until(settled, 40, "the outcome is in the journal")


async def test_sigterm_ends_airboss_in_order_and_leaves_vms_alone(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    assert await site.airboss.stop() == 0
    assert site.vms[0].state == libvirt.VIR_DOMAIN_RUNNING


async def test_a_full_disk_refuses_in_words_does_nothing_and_recovers(
    make_site: MakeSite, nodes: Callable[..., list[Vm]]
) -> None:
    mounted: list[Path] = []

    def small(state: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(state)], check=True, timeout=30)
        mounted.append(state)

    try:
        site = await make_site(1, prepare=small)
        (vm,) = nodes(site.hosts[0], "vc1", 1)
        async with await site.ada.link() as link:

            async def known() -> bool:
                return len(await nodes_of(link)) == 1

            await until(known)
            await act(link, "on", "compute-0-0")
            ballast = mounted[0] / "ballast"
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"x" * 4096)

            async def refused() -> PilotError | None:
                try:
                    await act(link, "pause", "compute-0-0")
                    await act(link, "resume", "compute-0-0")
                except PilotError as error:
                    return error
                return None

            full = await until(refused, 60, "the full disk is said")
            assert full.code == "storage"
            assert "full" in full.message
            assert full.hint
            assert vm.state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED)
            before = vm.state
            with pytest.raises(PilotError, match="full"):
                await act(link, "off", "compute-0-0")
            assert vm.state == before
            assert (await nodes_of(link))["compute-0-0"].state in ("on", "paused")
            ballast.unlink()
            (off,) = await act(link, "off", "compute-0-0")
            assert off.result == "done"
        await site.airboss.admin("journal", "verify")
        await site.airboss.stop()
    finally:
        for state in mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(state)], check=True, timeout=30)
