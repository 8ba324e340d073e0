"""The power verbs, one function each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import libvirt

from pilot.backends.libvirt.faults import translate
from pilot.backends.libvirt.install import start_from_network
from pilot.backends.libvirt.waiting import GuestSilentError, await_guest
from pilot.backends.provider import Acted
from pilot.errors import BackendError
from pilot.verbs import Value

if TYPE_CHECKING:
    from pilot.backends.libvirt.operations import Operations

Args = Mapping[str, Value]
Progress = Callable[[str], None]
_INVALID = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_INTERNAL_ERROR)
"""What drivers answer if the domain is in the wrong state; the second is the test driver's."""
_OFF = (libvirt.VIR_DOMAIN_SHUTOFF,)
_RUNNING = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED)


async def on(ops: Operations, uuid: str, _args: Args, progress: Progress, note: str = "") -> Acted:
    """Turn on; where the driver can, paused until the console is held."""
    paused, flags = ops.watch.kind == "QEMU", libvirt.VIR_DOMAIN_START_PAUSED
    progress("starting QEMU" if paused else "starting")
    try:
        if paused:
            await ops.start_paused(uuid, "turning on", lambda d: d.createWithFlags(flags), progress, _INVALID)
        else:
            await ops.call(uuid, "turning on", lambda d: d.create(), ops.settings.start, _INVALID)
    except libvirt.libvirtError as error:
        return await _already_on(ops, uuid, error)
    return Acted("on", note)


async def _already_on(ops: Operations, uuid: str, error: libvirt.libvirtError) -> Acted:
    state, name = await ops.state(uuid), ops.name(uuid)
    if state in _RUNNING:
        return Acted("on", "was on already")
    if state == libvirt.VIR_DOMAIN_PAUSED:
        raise BackendError(f"{name} is on, but paused", "`power.resume` lets it run on.")
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        raise BackendError(f"{name} has suspended itself", "`power.boot` resets it.")
    if state == libvirt.VIR_DOMAIN_CRASHED:
        raise BackendError(f"{name} has crashed and is kept as it is", "`power.off` ends it.")
    if state == libvirt.VIR_DOMAIN_SHUTDOWN:
        raise BackendError(f"{name} is just turning off", "Ask again in a moment.")
    raise translate(error, f"turning on {name}", ops.watch.address.name) from None


async def off(ops: Operations, uuid: str, _args: Args, progress: Progress, note: str = "") -> Acted:
    """End QEMU."""
    slow = asyncio.get_running_loop().call_later(
        4, progress, "QEMU does not end by itself: libvirt ends it by force, in about 12 s"
    )
    progress("ending QEMU")
    try:
        await ops.call(uuid, "turning off", lambda d: d.destroy(), ops.settings.destroy, _INVALID)
    except libvirt.libvirtError as error:
        if await ops.state(uuid) not in _OFF:
            raise translate(error, f"turning off {ops.name(uuid)}", ops.watch.address.name) from None
        return Acted("off", note or "was off already")
    finally:
        slow.cancel()
    return Acted("off", note)


async def shutdown(ops: Operations, uuid: str, args: Args, progress: Progress) -> Acted:
    """Press the power button and wait."""
    doing, grace = "shutting down", float(args.get("grace", 60.0))
    state = await ops.state(uuid)
    if state in _OFF:
        return Acted("off", "was off already")
    needs_running(ops, uuid, doing, state)
    flags = libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN if ops.watch.kind == "QEMU" else 0

    async def ask() -> None:
        await ops.call(uuid, doing, lambda d: d.shutdownFlags(flags), ops.settings.change)

    progress("asking the guest to shut down")
    try:
        await await_guest(ops.watch, uuid, "off", grace, ask, progress, ops.given_up(uuid))
    except GuestSilentError:
        if args.get("then") != "off":
            raise
        return await off(ops, uuid, args, progress, f"did not shut down in {grace:g} s: turned off")
    return Acted("off")


async def reset(ops: Operations, uuid: str, _args: Args, progress: Progress, note: str = "") -> Acted:
    """Reset, as the button does."""
    needs_running(ops, uuid, "resetting", await ops.state(uuid), paused_too=True)
    progress("resetting")
    await ops.call(uuid, "resetting", lambda d: d.reset(0), ops.settings.change)
    return Acted("on", note)


async def reboot(ops: Operations, uuid: str, args: Args, progress: Progress) -> Acted:
    """Press the power button in order to reboot, and wait."""
    doing, grace = "rebooting", float(args.get("grace", 60.0))
    needs_running(ops, uuid, doing, await ops.state(uuid))
    qemu = ops.watch.kind == "QEMU"
    flags = libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN if qemu else 0

    async def ask() -> None:
        await ops.call(uuid, doing, lambda d: d.reboot(flags), ops.settings.change)

    progress("asking the guest to reboot")
    if not qemu:
        await ask()
        return Acted("on", "asked; this hypervisor does not tell when the guest has rebooted")
    try:
        ended = await await_guest(ops.watch, uuid, "reboot", grace, ask, progress, ops.given_up(uuid))
    except GuestSilentError:
        if args.get("then") != "reset":
            raise
        return await reset(ops, uuid, args, progress, f"did not reboot in {grace:g} s: reset")
    if ended == "off":
        # Either it was booted from the network, where a reboot is an end, or it turned itself off.
        return await on(ops, uuid, args, progress, "turned off instead of rebooting: turned on again")
    return Acted("on")


async def pause(ops: Operations, uuid: str, _args: Args, _progress: Progress) -> Acted:
    """Freeze its processors."""
    state = await ops.state(uuid)
    if state == libvirt.VIR_DOMAIN_PAUSED:
        return Acted("paused", "was paused already")
    needs_running(ops, uuid, "pausing", state)
    await ops.call(uuid, "pausing", lambda d: d.suspend(), ops.settings.change)
    return Acted("paused")


async def resume(ops: Operations, uuid: str, _args: Args, _progress: Progress) -> Acted:
    """Let it run on."""
    state = await ops.state(uuid)
    if state in _RUNNING:
        return Acted("on", "was running already")
    needs_running(ops, uuid, "resuming", state, paused_too=True)
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        await ops.call(uuid, "waking", lambda d: d.pMWakeup(0), ops.settings.change)
    else:
        await ops.call(uuid, "resuming", lambda d: d.resume(), ops.settings.change)
    return Acted("on")


async def boot(ops: Operations, uuid: str, args: Args, progress: Progress) -> Acted:
    """Turn on, or reset if it is on."""
    state = await ops.state(uuid)
    if state in _OFF:
        return await on(ops, uuid, args, progress)
    if state == libvirt.VIR_DOMAIN_CRASHED:
        await off(ops, uuid, args, progress)
        return await on(ops, uuid, args, progress, "had crashed")
    await reset(ops, uuid, args, progress)
    if state == libvirt.VIR_DOMAIN_PAUSED:
        await ops.call(uuid, "resuming", lambda d: d.resume(), ops.settings.change)
    return Acted("on", "was on: reset")


async def install(ops: Operations, uuid: str, args: Args, progress: Progress) -> Acted:
    """Boot from the network once; see pilot.backends.libvirt.install."""
    if ops.watch.kind != "QEMU":
        raise BackendError(f"a host of kind {ops.watch.kind} cannot boot a node from the network once")
    if await ops.state(uuid) not in _OFF:
        await off(ops, uuid, args, progress)
    progress("starting QEMU from the network")
    await ops.start_paused(uuid, "starting from the network", start_from_network, progress)
    return Acted("on", "boots from the network once, and from disk after it reboots")


def needs_running(ops: Operations, uuid: str, doing: str, state: int, *, paused_too: bool = False) -> None:
    """Refuse what needs a guest, or at least a QEMU, that can react."""
    failed = f"{doing} {ops.name(uuid)} failed"
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        raise BackendError(f"{failed}: it is off", "`power.on` turns it on.")
    ops.answering(uuid, doing)
    if paused_too:
        return
    if state == libvirt.VIR_DOMAIN_PAUSED:
        raise BackendError(f"{failed}: it is paused and cannot react", "`power.resume` lets it run on.")
    if state == libvirt.VIR_DOMAIN_CRASHED:
        raise BackendError(f"{failed}: it has crashed", "`power.boot` turns it off and on.")
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        raise BackendError(f"{failed}: it has suspended itself", "`power.resume` wakes it.")


Act = Callable[[Any, str, Args, Progress], Awaitable[Acted]]

ACTS: dict[str, Act] = {
    "power.on": on,
    "power.off": off,
    "power.shutdown": shutdown,
    "power.reset": reset,
    "power.reboot": reboot,
    "power.pause": pause,
    "power.resume": resume,
    "power.boot": boot,
    "power.install": install,
}
"""By verb; the names are those of pilot.verbs."""
