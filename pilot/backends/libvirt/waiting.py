"""Waiting for a guest to do what its power button asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import libvirt

from pilot.backends.libvirt.events import Event, Lifecycle, Rebooted
from pilot.backends.libvirt.host import HostWatch
from pilot.errors import DeadlineError, PilotError

Ended = Literal["off", "reboot"]

ENDING_SECONDS = 30.0
"""For how long QEMU may still take once the guest has shut down."""
TELL_SECONDS = 5.0


class GuestSilentError(DeadlineError):
    """The guest did not react in time."""


async def await_guest(
    watch: HostWatch,
    uuid: str,
    wanted: Ended,
    grace: float,
    ask: Callable[[], Awaitable[None]],
    progress: Callable[[str], None],
    given_up: asyncio.Future[PilotError],
) -> Ended:
    """Ask, and wait until the guest has shut down or rebooted.

    Args:
        watch: of the node's host.
        uuid: the node.
        wanted: what ends the wait well; a guest that shuts down ends it in any case.
        grace: seconds it is given.
        ask: presses the button.
        progress: told now and then what is waited for.
        given_up: set, to what is raised then, when nobody is to wait any longer.

    Raises:
        GuestSilentError: the guest did not react in time.
        UnreachableError: the host was lost meanwhile.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Ended] = loop.create_future()
    until = loop.time() + grace
    reacting = False

    def listen(event: Event) -> None:
        nonlocal reacting, until
        if event.uuid != uuid or ended.done():
            return
        if isinstance(event, Rebooted) and wanted == "reboot":
            ended.set_result("reboot")
        elif isinstance(event, Lifecycle) and event.event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            ended.set_result("off")
        elif isinstance(event, Lifecycle) and event.event == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN:
            reacting = True
            until = max(until, loop.time() + ENDING_SECONDS)

    watch.listeners.add(listen)
    try:
        await ask()
        told = loop.time()
        while not ended.done():
            left = until - loop.time()
            if left <= 0:
                raise GuestSilentError(*_silent(wanted, grace))
            await asyncio.wait((ended, given_up), timeout=min(1.0, left), return_when=asyncio.FIRST_COMPLETED)
            if given_up.done() and not ended.done():
                raise given_up.result()
            watch.check_up("waiting for the guest")
            if loop.time() - told >= TELL_SECONDS:
                told = loop.time()
                progress("the guest has shut down; QEMU is ending" if reacting else
                         f"waiting for the guest, {max(0.0, until - told):.0f} s left")  # fmt: skip
        return ended.result()
    finally:
        watch.listeners.discard(listen)


def _silent(wanted: Ended, grace: float) -> tuple[str, str]:
    did = "shut down" if wanted == "off" else "rebooted"
    cut = "power.off` cuts it off" if wanted == "off" else "power.reset` resets it"
    return (
        f"the guest has not {did} in {grace:g} s: it did not react to its power button, or is still at it",
        f"Does a service for ACPI events run in it? `{cut} at once.",
    )
