"""The demo's guest on a private host: boots, listens to its power button, tries the network if told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import libvirt
import pytest

from pilot.demo.hypervisor import PrivateHost
from tests.support.vms import SerialLine, Vm
from tests.support.waiting import until

# Two or three boots or builds in a row, on a machine that is busy with others.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_guest_boots_to_a_login_from_the_first_byte(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(hosts(), "compute-0-7")
    vm.start(paused=True)
    async with SerialLine(vm.serial_path()) as line:
        vm.domain.resume()
        boot = await line.expect(b"compute-0-7 login: ")
        assert b"SeaBIOS" in boot
        assert boot.index(b"SeaBIOS") < boot.index(b"Loading vmlinuz") < boot.index(b"Linux version")
        line.send(b"root\r")
        await line.expect(b"Password: ")
        line.send(b"pilot\r")
        await line.expect(b"root@compute-0-7:~# ")
        line.send(b"stty -a | head -1; for p in vi top less; do type $p; done; cat /proc/sys/kernel/sysrq\r")
        words = await line.expect(b"\n1\r\n")
        assert b"not found" not in words
        assert b"speed 115200" in words
        # What the kernel notes in passing is not written through what somebody types; its errors are.
        line.send(b"echo '<6>a note' >/dev/kmsg; echo '<3>an error' >/dev/kmsg\r")
        words = await line.expect(b"] an error")
        assert b"] a note" not in words


async def test_power_button_shuts_it_down(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(hosts())
    vm.start(paused=True)
    async with SerialLine(vm.serial_path()) as line:
        vm.domain.resume()
        await line.expect(b"login: ")
        vm.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        await line.expect(b"power button was pressed")
        await until(lambda: vm.state == libvirt.VIR_DOMAIN_SHUTOFF, 40, "off")


async def test_reboot_from_outside_and_from_inside(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(hosts())
    vm.start(paused=True)
    async with SerialLine(vm.serial_path()) as line:
        vm.domain.resume()
        await line.expect(b"login: ")
        await asyncio.to_thread(vm.domain.reboot, libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)
        await line.expect(b"power button was pressed")
        await line.expect(b"Linux version")
        await line.log_in()
        line.send(b"reboot\r")
        await line.expect(b"Linux version")
        await line.expect(b"login: ")


async def test_network_is_tried_before_the_disk(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(hosts(), network_first=True)
    vm.start(paused=True)
    async with SerialLine(vm.serial_path()) as line:
        vm.domain.resume()
        boot = await line.expect(b"Linux version", 60)
        # iPXE takes a lease and finds no server to boot from; then it is the disk's turn.
        assert boot.index(b"iPXE") < boot.index(b"Booting from Hard Disk") < boot.index(b"Loading vmlinuz")


async def test_disk_first_does_not_touch_the_network(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(hosts())
    vm.start(paused=True)
    async with SerialLine(vm.serial_path()) as line:
        vm.domain.resume()
        boot = await line.expect(b"Linux version", 60)
        assert b"starting execution" not in boot


async def test_libvirtd_killed_keeps_its_vms(
    hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    host = hosts()
    vm = define_vm(host)
    vm.start()
    pid = vm.qemu_pid
    await asyncio.to_thread(host.kill)
    assert host.pid is None
    await asyncio.to_thread(host.start)
    assert host.qemu_pids() == {"hosted-vm-0-0-0": pid}
    connection = libvirt.open(host.uri)
    try:
        assert connection.lookupByName("hosted-vm-0-0-0").isActive()
    finally:
        connection.close()
