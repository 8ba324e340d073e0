"""Private hosts: side by side, taken over after a crash, refused where they cannot work; and fleets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest

from pilot.demo.fleet import Fleet
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import BusyError, ConfigError

pytestmark = pytest.mark.e2e


def domains_at(uri: str) -> int:
    connection = libvirt.open(uri)
    try:
        return len(connection.listAllDomains())
    finally:
        connection.close()


def test_two_hosts_know_nothing_of_each_other(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., object]
) -> None:
    one, other = hosts("one"), hosts("other")
    define_vm(one)
    assert (domains_at(one.uri), domains_at(other.uri)) == (1, 0)
    assert one.pid != other.pid


def test_runs_without_roots_rights(hosts: Callable[..., PrivateHost]) -> None:
    status = Path(f"/proc/{hosts().pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


def test_second_daemon_in_the_same_folder_is_refused(hosts: Callable[..., PrivateHost]) -> None:
    host = hosts()
    with pytest.raises(BusyError, match="already"):
        PrivateHost(host.folder, "again").start()


def test_folder_too_long_for_sockets_is_refused() -> None:
    with pytest.raises(ConfigError, match="too long"):
        PrivateHost(Path("/tmp") / ("x" * 60), "a")
    with pytest.raises(ConfigError, match="relative"):
        PrivateHost(Path("x"), "a")


def test_clear_ends_daemon_and_vms_that_another_process_left(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., object]
) -> None:
    host = hosts()
    vm = define_vm(host)
    vm.start()  # type: ignore[attr-defined]
    pids = [host.pid, *host.qemu_pids().values()]
    # Another object, as the next demo has: it knows the folder and nothing else.
    PrivateHost(host.folder, "stranger").clear()
    assert not any(pid is not None and _runs(pid) for pid in pids)
    assert not host.folder.exists()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_fleet_is_shared_by_its_clients(short_folder: Path) -> None:
    folder = short_folder / f"fleet{os.getpid()}"
    with Fleet(folder, "fleet", 50) as fleet:
        assert domains_at(fleet.uri) == 50
        first, second = libvirt.open(fleet.uri), libvirt.open(fleet.uri)
        try:
            first.lookupByName("hosted-vm-0-7-0").create()
            domain = second.lookupByName("hosted-vm-0-7-0")
            assert domain.isActive()
            assert 'node="compute-0-7"' in domain.XMLDesc()
        finally:
            first.close()
            second.close()
    fleet.host.clear()
