"""The verbs that send a node what a person at its keyboard, serial line or front panel could."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import libvirt
import libvirt_qemu

from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.acts import Act, Args, Progress, needs_running
from pilot.backends.libvirt.hung import refuse_waiting
from pilot.backends.libvirt.keycodes import CODES, codes_of
from pilot.backends.provider import Acted
from pilot.errors import BackendError

if TYPE_CHECKING:
    from pilot.backends.libvirt.operations import Operations

HOLD_MS = 100
"""For how long keys are pressed: longer than a guest takes to look, shorter than its key repeat waits."""


async def nmi(ops: Operations, uuid: str, _args: Args, _progress: Progress) -> Acted:
    """Raise a non-maskable interrupt on every processor."""
    await _send(ops, uuid, "sending an NMI to", lambda domain: domain.injectNMI(0))
    return Acted("on")


async def cad(ops: Operations, uuid: str, _args: Args, _progress: Progress) -> Acted:
    """Press Ctrl+Alt+Del."""
    return await _press(ops, uuid, "sending Ctrl+Alt+Del to", codes_of("ctrl+alt+delete"))


async def keys(ops: Operations, uuid: str, args: Args, _progress: Progress) -> Acted:
    """Press keys together."""
    return await _press(ops, uuid, "sending keys to", codes_of(str(args["keys"])))


async def sysrq(ops: Operations, uuid: str, args: Args, progress: Progress) -> Acted:
    """Press Alt+SysRq and the letter, or send the break that the letter has to follow on the serial line.

    Who holds the serial console types the letter: there is one holder, and it is not here.
    """
    if args["by"] == "serial":
        return await line_break(ops, uuid, args, progress)
    pressed = [CODES["alt"], CODES["sysrq"], CODES[str(args["letter"])]]
    return await _press(ops, uuid, "sending SysRq to", pressed)


async def line_break(ops: Operations, uuid: str, _args: Args, _progress: Progress) -> Acted:
    """Send a break on the serial line. libvirt has no call for it, so QEMU's monitor is asked through it."""
    doing = "sending a break to"

    def send(domain: Any) -> None:
        device = domain_xml.serial_alias(domain.XMLDesc())
        if not device:
            raise BackendError(
                f"{doing} {ops.name(uuid)} failed: it has no serial line",
                "Give the domain a serial console: `<serial type='pty'/>`.",
            )
        command = {"execute": "chardev-send-break", "arguments": {"id": device}}
        answer = json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps(command), 0))
        if "error" in answer:
            said = answer["error"].get("desc", "no reason given")
            raise BackendError(f"{doing} {ops.name(uuid)} failed: QEMU: {said}")

    await _send(ops, uuid, doing, send)
    return Acted("on")


async def _press(ops: Operations, uuid: str, doing: str, codes: list[int]) -> Acted:
    def press(domain: Any) -> None:
        domain.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, HOLD_MS, codes, len(codes), 0)

    await _send(ops, uuid, doing, press)
    return Acted("on")


async def _send(ops: Operations, uuid: str, doing: str, function: Any) -> None:
    """Send it to a node that runs and whose QEMU answers."""
    if ops.watch.kind == "QEMU":
        needs_running(ops, uuid, doing, await ops.state(uuid))
    else:
        raise BackendError(f"{doing} {ops.name(uuid)} failed: a host of kind {ops.watch.kind} cannot")

    def send(domain: Any) -> None:
        refuse_waiting(domain, f"{doing} {ops.name(uuid)}", ops.settings.hung_after)
        function(domain)

    await ops.call(uuid, doing, send, ops.settings.send)


SENDS: dict[str, Act] = {
    "send.break": line_break,
    "send.sysrq": sysrq,
    "send.nmi": nmi,
    "send.cad": cad,
    "send.keys": keys,
}
"""By verb; the names are those of pilot.verbs."""
