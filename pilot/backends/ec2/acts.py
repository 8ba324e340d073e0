"""What can be done to an instance, one function for each verb.

`power.off` skips the guest's own shutdown (SkipOsShutdown), as pulling the plug does; `power.shutdown` lets
it shut down, and EC2 ends it by force after some minutes. EC2's reboot only asks: it resets by itself if
the guest does not react for about four minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from pilot.backends.ec2.faults import Fault
from pilot.backends.provider import Acted
from pilot.errors import BackendError, DeadlineError
from pilot.records import InstanceState
from pilot.verbs import Value

if TYPE_CHECKING:
    from pilot.backends.ec2.regions import RegionWatch

Args = Mapping[str, Value]
Progress = Callable[[str], None]
RETRY_FIRST = 1.0
_ENDED = ("shutting-down", "terminated")


class Target:
    """The instance that is acted on."""

    def __init__(self, watch: RegionWatch, instance_id: str, name: str) -> None:
        self.watch = watch
        self.id = instance_id
        self.name = name

    @property
    def state(self) -> InstanceState:
        """As EC2 said last; `terminated` of one that it does not know any more."""
        known = self.watch.region.get(self.id)
        return "terminated" if known is None else known.instance.state

    @property
    def reason(self) -> str:
        """Why it is in that state, as EC2 says."""
        known = self.watch.region.get(self.id)
        return "" if known is None else known.instance.reason

    async def look(self, doing: str) -> InstanceState:
        """Ask EC2 for its state now."""
        try:
            await self.watch.read(self.id)
        except Fault as fault:
            raise fault.error(f"{doing} {self.name}") from None
        return self.state

    async def ask(
        self, operation: str, doing: str, progress: Progress, *, many: bool = True, **args: Any
    ) -> None:
        """Ask EC2 for it; what is throttled is asked again until the deadline."""
        calls, loop = self.watch.calls, asyncio.get_running_loop()
        end, pause = loop.time() + calls.bounds.ask, RETRY_FIRST
        whom: dict[str, Any] = {"InstanceIds": [self.id]} if many else {"InstanceId": self.id}
        while True:
            try:
                await calls.call(self.watch.region.name, "ec2", operation, calls.bounds.ask, **whom, **args)
            except Fault as fault:
                if fault.kind != "throttled" or loop.time() + pause > end:
                    raise fault.error(f"{doing} {self.name}") from None
                progress(f"{fault.words}: asking again")
                await asyncio.sleep(pause)
                pause *= 2
            else:
                self.watch.follow(self.id)
                return

    async def until(
        self, wanted: tuple[InstanceState, ...], passing: tuple[InstanceState, ...], doing: str,
        deadline: float, progress: Progress,
    ) -> None:  # fmt: skip
        """Wait until EC2 says that it is in one of these states.

        Args:
            wanted: the states that end the wait.
            passing: those that it may be in meanwhile; any other is a failure.
            doing: what is done.
            deadline: seconds.
            progress: told of each state on the way.
        """
        told = ""
        try:
            async with asyncio.timeout(deadline):
                while (state := self.state) not in wanted:
                    if state not in passing:
                        why = self.reason or "EC2 does not say why"
                        raise BackendError(f"{doing} {self.name} failed: it is {state} now: {why}")
                    if state != told:
                        told = state
                        progress(f"EC2 says: {state}")
                    known = self.watch.region.get(self.id)
                    if known is not None:
                        await known.news.wait()
        except TimeoutError:
            raise DeadlineError(
                f"{doing} {self.name}: it is still {self.state} after {deadline:g} s",
                "EC2 goes on with it; `power.off` asked again ends it by force.",
            ) from None


def _ended(target: Target, doing: str) -> None:
    if target.state in _ENDED:
        why = f": {target.reason}" if target.reason else ""
        raise BackendError(f"{doing} {target.name} failed: it was terminated{why}", "It cannot come back.")


async def on(target: Target, _args: Args, progress: Progress, note: str = "") -> Acted:
    """Start it, and wait until it runs."""
    doing, bounds = "turning on", target.watch.calls.bounds
    state = await target.look(doing)
    _ended(target, doing)
    if state == "running":
        return Acted("on", "was on already")
    if state == "stopping":
        progress("waiting until it has stopped")
        await target.until(("stopped",), ("stopping",), doing, bounds.stop, progress)
    if state != "pending":
        await target.ask("start_instances", doing, progress)
    await target.until(("running",), ("stopped", "stopping", "pending"), doing, bounds.start, progress)
    return Acted("on", note)


async def _stop(
    target: Target, doing: str, progress: Progress, deadline: float, note: str = "", **args: Any
) -> Acted:
    await target.ask("stop_instances", doing, progress, **args)
    await target.until(
        ("stopped", "terminated"), ("running", "pending", "stopping"), doing, deadline, progress
    )
    return Acted("off", note if target.state == "stopped" else "it was terminated")


async def off(target: Target, _args: Args, progress: Progress, note: str = "") -> Acted:
    """Stop it without asking the guest; one that is stopping already, by force."""
    doing, bounds = "turning off", target.watch.calls.bounds
    state = await target.look(doing)
    if state in ("stopped", "terminated"):
        return Acted("off", note or "was off already")
    _ended(target, doing)
    forced = {"Force": True} if state == "stopping" else {"SkipOsShutdown": True}
    return await _stop(target, doing, progress, bounds.stop, note, **forced)


async def shutdown(target: Target, args: Args, progress: Progress) -> Acted:
    """Stop it: EC2 lets the guest shut down, and ends it after some minutes."""
    doing, bounds = "shutting down", target.watch.calls.bounds
    state = await target.look(doing)
    if state in ("stopped", "terminated"):
        return Acted("off", "was off already")
    _ended(target, doing)
    grace = float(args.get("grace", 60.0))
    if args.get("then") != "off":
        return await _stop(target, doing, progress, max(grace, bounds.stop))
    try:
        return await _stop(target, doing, progress, grace)
    except DeadlineError:
        return await off(target, args, progress, f"did not shut down in {grace:g} s: turned off")


async def reboot(target: Target, _args: Args, progress: Progress, note: str = "") -> Acted:
    """Ask EC2 to reboot it."""
    _running(target, "rebooting", await target.look("rebooting"))
    await target.ask("reboot_instances", "rebooting", progress)
    return Acted("on", note or "asked; EC2 resets it if the guest does not react for about 4 min")


async def boot(target: Target, args: Args, progress: Progress) -> Acted:
    """Turn on, or reboot if it is on."""
    if await target.look("booting") == "running":
        return await reboot(
            target, args, progress, "was on: asked to reboot; EC2 resets it after about 4 min"
        )
    return await on(target, args, progress)


async def hibernate(target: Target, _args: Args, progress: Progress) -> Acted:
    """Stop it with its memory kept on its disk."""
    doing = "hibernating"
    _running(target, doing, await target.look(doing))
    known = target.watch.region.get(target.id)
    if known is not None and not known.instance.hibernates:
        raise BackendError(
            f"{doing} {target.name} failed: it was not made so that it can hibernate",
            "That is chosen when an instance is launched; `power.shutdown` stops it.",
        )
    return await _stop(target, doing, progress, target.watch.calls.bounds.stop, "hibernated", Hibernate=True)


async def terminate(target: Target, _args: Args, progress: Progress) -> Acted:
    """End it for good."""
    doing, bounds = "terminating", target.watch.calls.bounds
    if await target.look(doing) == "terminated":
        return Acted("off", "was terminated already")
    await target.ask("terminate_instances", doing, progress)
    before: tuple[InstanceState, ...] = ("pending", "running", "stopping", "stopped", "shutting-down")
    await target.until(("terminated",), before, doing, bounds.stop, progress)
    return Acted("off", "terminated: it cannot come back")


async def nmi(target: Target, _args: Args, progress: Progress) -> Acted:
    """Send it a non-maskable interrupt."""
    doing = "sending an NMI to"
    _running(target, doing, await target.look(doing))
    await target.ask("send_diagnostic_interrupt", doing, progress, many=False)
    return Acted("on")


def _running(target: Target, doing: str, state: InstanceState) -> None:
    _ended(target, doing)
    if state != "running":
        raise BackendError(f"{doing} {target.name} failed: it is {state}", "`power.on` turns it on.")


Act = Callable[[Target, Args, Progress], Awaitable[Acted]]

ACTS: dict[str, Act] = {
    "power.on": on,
    "power.off": off,
    "power.shutdown": shutdown,
    "power.reboot": reboot,
    "power.boot": boot,
    "power.hibernate": hibernate,
    "power.terminate": terminate,
    "send.nmi": nmi,
}
"""By verb; the names are those of pilot.verbs."""

LACKING: dict[str, str] = {
    "power.reset": "EC2 has no reset; `power.reboot` asks the guest, and EC2 resets it after about 4 min.",
    "power.pause": "EC2 cannot freeze an instance; `power.hibernate` keeps its memory where it can.",
    "power.resume": "EC2 cannot freeze an instance, so none has to be resumed.",
    "power.install": "EC2 has no boot from the network: an instance is launched anew from an image.",
    "send.cad": "EC2 has no keyboard to press; `send.nmi` and the serial console are there.",
    "send.keys": "EC2 has no keyboard to press; the serial console is there.",
}
"""What EC2 does not have, and what to do instead."""
