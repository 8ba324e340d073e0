"""One act at a time on an instance; what pulls the plug ends what waits for the guest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from pilot.backends.ec2.acts import ACTS, LACKING, Target
from pilot.backends.provider import Acted
from pilot.errors import BackendError, BusyError, RefusedError
from pilot.verbs import Value

_ENDS = ("power.off", "power.terminate")
_WAITS = ("power.shutdown", "power.hibernate")
GIVE_UP_SECONDS = 2.0


class _Running(msgspec.Struct):
    verb: str
    task: asyncio.Task[Acted]
    by: str = ""
    """The verb that ended it."""


class Operations:
    """The acts of one account."""

    def __init__(self, send_break: Callable[[str, str], Awaitable[None]]) -> None:
        """`send_break` sends one on the serial console of an instance (id, name) that is held."""
        self._running: dict[str, _Running] = {}
        self._send_break = send_break

    async def act(
        self, target: Target, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a verb; see Provider.act."""
        if verb == "send.break" or (verb == "send.sysrq" and args.get("by") == "serial"):
            await self._send_break(target.id, target.name)
            return Acted("on")
        if verb == "send.sysrq":
            raise BackendError(
                f"sending SysRq to {target.name} failed: EC2 has no keyboard to press",
                "by=serial sends it on the serial console.",
            )
        act = ACTS.get(verb)
        if act is None:
            raise RefusedError(f"{verb} of {target.name}: EC2 cannot do that", LACKING.get(verb, ""))
        await self._free(target, verb)
        task = asyncio.ensure_future(act(target, args, progress))
        running = self._running[target.id] = _Running(verb, task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if running.by:
                raise BackendError(
                    f"{verb} of {target.name} was ended by {running.by}", "That is under way now."
                ) from None
            # What was asked of EC2 is asked; only the wait is given up.
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                return await task
            raise
        finally:
            if self._running.get(target.id) is running:
                del self._running[target.id]

    async def stop(self) -> None:
        """Give up all waits."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _free(self, target: Target, verb: str) -> None:
        running = self._running.get(target.id)
        if running is None:
            return
        if not (verb in _ENDS and running.verb in _WAITS):
            raise BusyError(
                f"{target.name} is busy with {running.verb}",
                "Ask again when that has ended, or use power.off.",
            )
        running.by = verb
        running.task.cancel()
        await asyncio.wait([running.task], timeout=GIVE_UP_SECONDS)
        if self._running.get(target.id) is running:
            del self._running[target.id]
