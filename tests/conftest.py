"""Fixtures that all tests may use: private libvirtd hosts and a guest that their VMs boot.

Nothing here touches the machine's own libvirt, and all of it runs unprivileged, under a folder whose
path is short enough for Unix sockets (pytest's tmp_path is not).
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest

from pilot.demo import domains
from pilot.demo import guest as guest_module
from pilot.demo.domains import NodePlan
from pilot.demo.guest import Guest
from pilot.demo.hypervisor import PrivateHost
from tests.support.vms import Vm

# Started in the background by a shell, this process ignores SIGINT, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# libvirt prints every error on stderr besides raising it.
libvirt.registerErrorHandler(lambda _context, _error: None, None)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short path that unprivileged accounts may pass through; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def guest(short_folder: Path) -> Guest:
    """The demo's guest: boots to `NAME login: ` (root / pilot) in 2 to 3 s alone, slower side by side.

    Its disk is in a folder that the hosts' unprivileged account can read, and is shared by all VMs.
    """
    return domains.share(guest_module.build(), short_folder / "guest")


@pytest.fixture
def hosts(short_folder: Path) -> Iterator[Callable[..., PrivateHost]]:
    """Starts private hosts: `hosts("vm-container-0-0")` gives a PrivateHost that answers at `.uri`.

    Starting takes 0.1 s. `.kill()` kills the libvirtd alone, `.start()` brings it back with its VMs,
    `.qemu_pids()` maps domain names to pids. All of it, VMs included, is ended after the test.
    """
    made: list[PrivateHost] = []

    def make(name: str = "vm-container-0-0", start: bool = True) -> PrivateHost:
        folder = Path(tempfile.mkdtemp(prefix="h", dir=short_folder))
        folder.chmod(0o711)
        host = PrivateHost(folder / "h", name)
        made.append(host)
        if start:
            host.start()
        return host

    yield make
    for host in made:
        host.clear()
        shutil.rmtree(host.folder.parent, ignore_errors=True)


@pytest.fixture
def define_vm(guest: Guest) -> Iterator[Callable[..., Vm]]:
    """Defines VMs: `define_vm(host, "compute-0-0")` gives a Vm that is off; `.start()` turns it on.

    `cluster` and `domain` say whose it is and what libvirt calls it; `network_first` makes the BIOS try
    the NIC before the disk. Ended with its host.
    """
    made: list[Vm] = []

    def make(
        host: PrivateHost,
        name: str = "compute-0-0",
        cluster: str = "vc1",
        domain: str = "hosted-vm-0-0-0",
        network_first: bool = False,
    ) -> Vm:
        vm = Vm(host, guest, NodePlan(name, domain, cluster), network_first)
        made.append(vm)
        return vm

    yield make
    for vm in made:
        vm.close()
