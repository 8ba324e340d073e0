"""What the account may do with each instance, found out by dry runs at a bounded pace.

A dry run that AWS would allow is answered with `DryRunOperation`, one that it would not with
`UnauthorizedOperation`. One call can ask for many instances, and is then answered for all of them: only
where that is a no are they asked for by halves.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.regions import RegionWatch

_log = logging.getLogger(__name__)


class Question(msgspec.Struct, frozen=True):
    """How to ask whether verbs are allowed."""

    verbs: tuple[str, ...]
    operation: str
    args: tuple[tuple[str, Any], ...] = ()
    many: bool = True


QUESTIONS: tuple[Question, ...] = (
    Question(("power.on",), "start_instances"),
    Question(("power.off", "power.shutdown"), "stop_instances"),
    Question(("power.hibernate",), "stop_instances", (("Hibernate", True),)),
    Question(("power.reboot",), "reboot_instances"),
    Question(("power.terminate",), "terminate_instances"),
    Question(("send.nmi",), "send_diagnostic_interrupt", many=False),
    Question(("screen.picture",), "get_console_screenshot", many=False),
    Question(("console.log",), "get_console_output", many=False),
)
_ALLOWED = "DryRunOperation"
_REFUSED = ("UnauthorizedOperation", "AccessDenied")


class MayWatch:
    """Asks for one region's instances."""

    def __init__(self, watch: RegionWatch) -> None:
        self._watch = watch
        self._asked: dict[tuple[str, str], float] = {}
        """When it was answered, by instance and first verb."""

    def forget(self, instance_id: str, verb: str) -> None:
        """A verb was refused: ask again soon."""
        for question in QUESTIONS:
            if verb in question.verbs:
                self._asked.pop((instance_id, question.verbs[0]), None)

    async def run(self) -> None:
        """Ask for ever."""
        bounds, loop = self._watch.calls.bounds, asyncio.get_running_loop()
        serial_due = 0.0
        while True:
            await asyncio.sleep(bounds.may_pace)
            if self._watch.source.state != "up":
                continue
            try:
                if loop.time() >= serial_due and self._watch.region.known:
                    await self._serial()
                    serial_due = loop.time() + bounds.may_age
                    continue
                if not await self._some():
                    await asyncio.sleep(bounds.may_pace * 3)
            except Fault as fault:
                if fault.kind == "throttled":
                    await asyncio.sleep(bounds.throttled)
            except Exception:
                _log.exception("dry runs in %s", self._watch.region.name)
                await asyncio.sleep(bounds.backoff_last)

    async def _some(self) -> bool:
        """The first question that is due; False if there is none."""
        known = self._watch.region.known
        for key in [key for key in self._asked if key[0] not in known]:
            del self._asked[key]
        now, bounds = asyncio.get_running_loop().time(), self._watch.calls.bounds
        for question in QUESTIONS:
            verb = question.verbs[0]
            due = [
                i for i, k in known.items()
                if now - self._asked.get((i, verb), -1e12) > bounds.may_age
                and k.instance.state not in ("terminated", "shutting-down")
            ]  # fmt: skip
            if verb == "power.hibernate":
                await self._answered(
                    [i for i in due if not known[i].instance.hibernates], question, yes=False
                )
                due = [i for i in due if known[i].instance.hibernates]
            if due:
                await self._ask(question, due[: bounds.may_bulk if question.many else 1])
                return True
        return False

    async def _ask(self, question: Question, ids: list[str]) -> None:
        whom: dict[str, Any] = {"InstanceIds": ids} if question.many else {"InstanceId": ids[0]}
        name = self._watch.region.name
        try:
            await self._watch.calls.call(
                name, "ec2", question.operation, DryRun=True, **whom, **dict(question.args)
            )
        except Fault as fault:
            if fault.code == _ALLOWED:
                await self._answered(ids, question, yes=True)
            elif fault.code in _REFUSED and len(ids) == 1:
                await self._answered(ids, question, yes=False)
            elif len(ids) > 1 and fault.kind in ("denied", "other") and fault.code:
                half = len(ids) // 2
                for part in (ids[:half], ids[half:]):
                    await asyncio.sleep(self._watch.calls.bounds.may_pace)
                    await self._ask(question, part)
            elif fault.kind in ("denied", "other") and fault.code:
                # Some other no: of its state, its type, a protection. The right itself is there.
                await self._answered(ids, question, yes=True)
            else:
                raise
        else:
            # AWS never does that: whatever answered did not heed DryRun.
            _log.error("%s in %s did what was only asked about", question.operation, name)
            await self._answered(ids, question, yes=True)

    async def _answered(self, ids: list[str], question: Question, *, yes: bool) -> None:
        now, region, changed = asyncio.get_running_loop().time(), self._watch.region, []
        for instance_id in ids:
            self._asked[(instance_id, question.verbs[0])] = now
            may = region.may.setdefault(instance_id, {})
            if any(may.get(verb) is not yes for verb in question.verbs):
                may.update(dict.fromkeys(question.verbs, yes))
                changed.append(instance_id)
        await region.remake_some(changed)

    async def _serial(self) -> None:
        """Serial consoles are allowed for the whole account and region; there is no dry run of them."""
        region = self._watch.region
        try:
            answer = await self._watch.calls.call(region.name, "ec2", "get_serial_console_access_status")
            enabled = answer.get("SerialConsoleAccessEnabled") is True
        except Fault as fault:
            if fault.kind not in ("denied", "other"):
                raise
            enabled = True  # not known: opening one says it in words
        region.serial = enabled
        await region.remake_all()
