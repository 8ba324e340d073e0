"""Console output as EC2 keeps it: the last 64 KB, fetched by turns; only what is new is given on.

It is no stream: what scrolled through between two fetches is lost, and that is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.instances import node_id
from pilot.backends.ec2.regions import RegionWatch
from pilot.errors import NoSuchNodeError

_log = logging.getLogger(__name__)

KEPT = 64 * 1024
"""Bytes that EC2 keeps, and that are compared with."""
_ANCHOR = 64
_LEAST = 16
"""Bytes that are not in both by chance."""
_PLACES = 64
"""Where the anchor is looked for one after the other; a guest that prints the same for ever has thousands."""
TAIL = 256
"""Bytes that are kept of each over a restart of airboss."""

Printed = Callable[[str, bytes, bool], None]
"""Told of a node's id, what it printed, and whether something before it is missing."""


def news(old: bytes, now: bytes) -> tuple[bytes, bool]:
    """What of a newer output is not in an older one, and whether there is a gap before it.

    EC2 keeps the end of what was printed: the newer begins somewhere in the older, or after it.
    """
    if not old or not now:
        return now, False
    start, anchor = 0, now[:_ANCHOR]
    for _ in range(_PLACES):
        if (at := old.find(anchor, start)) < 0:
            break
        rest = old[at:]
        if len(now) <= len(rest):
            if rest.startswith(now):
                return b"", False
        elif now.startswith(rest):
            return now[len(rest) :], False
        start = at + 1
    else:
        size = _overlap(old, now)
        return (now[size:], False) if size >= _LEAST else (now, True)
    # The older may end within what would be the anchor.
    for size in range(min(_ANCHOR, len(old), len(now)) - 1, 0, -1):
        if size >= _LEAST and old.endswith(now[:size]):
            return now[size:], False
    return now, True


def _overlap(old: bytes, now: bytes) -> int:
    """How much of the newer's beginning the older holds: all of it anywhere, or else a part at its end.

    Knuth, Morris and Pratt's search: it takes as long as both are, whatever is in them.
    """
    borders, size = [0] * len(now), 0
    for at in range(1, len(now)):
        while size and now[size] != now[at]:
            size = borders[size - 1]
        size += now[size] == now[at]
        borders[at] = size
    size = 0
    for byte in old:
        while size and now[size] != byte:
            size = borders[size - 1]
        size += now[size] == byte
        if size == len(now):
            break
    return size


def after(tail: bytes, now: bytes) -> tuple[bytes, bool]:
    """What of an output follows the last that was seen of it, and whether there is a gap before it."""
    at = now.rfind(tail)
    return (now, bool(now)) if at < 0 else (now[at + len(tail) :], False)


class OutputWatch:
    """Fetches one region's consoles, running ones by turns, one that is looked at first."""

    def __init__(self, watch: RegionWatch, printed: Printed, held: Callable[[str], bool]) -> None:
        """`held` says whether a serial console of an instance is held: then nothing is fetched."""
        self._watch = watch
        self._printed = printed
        self._held = held
        self._seen: dict[str, bytes] = {}
        self._at: dict[str, float] = {}
        self._wanted: set[str] = set()
        self._tails: dict[str, bytes] = {}
        """Where airboss stood before it was started anew."""
        self._passed: set[str] = set()
        """Those whose serial console was held since the last fetch: it told what they printed."""

    def begin_at(self, tails: Mapping[str, bytes]) -> None:
        """Go on where an earlier airboss ended."""
        self._tails.update(tails)

    def tails(self) -> dict[str, bytes]:
        """Where each stands now, for the next airboss."""
        return self._tails | {i: seen[-TAIL:] for i, seen in self._seen.items() if seen}

    async def run(self) -> None:
        """Fetch for ever."""
        bounds = self._watch.calls.bounds
        while True:
            await asyncio.sleep(bounds.output_pace)
            known = self._watch.region.known
            self._passed.update(i for i in known if self._held(i))
            for facts in (self._seen, self._at):
                for gone in [i for i in facts if i not in known]:
                    del facts[gone]
            if self._watch.source.state != "up":
                continue
            # What an earlier airboss kept is of instances that are known only once the region has answered.
            for gone in [i for i in self._tails if i not in known]:
                del self._tails[gone]
            self._wanted.intersection_update(known)
            self._passed.intersection_update(known)
            if (turn := self._next()) is None:
                continue
            try:
                await self.fetch(turn)
            except Fault as fault:
                if fault.kind == "throttled":
                    await asyncio.sleep(bounds.throttled)
            except NoSuchNodeError:
                continue
            except Exception:
                _log.exception("console output of %s", turn)

    def want(self, instance_id: str) -> None:
        """Fetch this one next: somebody looks at it."""
        self._wanted.add(instance_id)

    async def catch_up(self, instance_id: str) -> None:
        """Give on what it printed before its serial console is held: then nothing is fetched any more.

        Takes a few seconds at most. What fails is left out: the console is worth more than its past.
        """
        if self._held(instance_id):
            return
        with contextlib.suppress(Fault, NoSuchNodeError, TimeoutError):
            async with asyncio.timeout(self._watch.calls.bounds.catch_up):
                await self.fetch(instance_id)

    async def fetch(self, instance_id: str) -> bytes:
        """All that EC2 has kept of it; what is new in that is given on.

        Raises:
            Fault: it failed.
        """
        known = self._watch.region.get(instance_id)
        if known is None:
            raise NoSuchNodeError("no such node", "`pilot nodes` lists yours.")
        self._at[instance_id] = asyncio.get_running_loop().time()
        self._wanted.discard(instance_id)
        kind = self._watch.region.kinds.get(known.instance.type)
        latest = {"Latest": True} if kind is not None and kind.nitro else {}
        answer = await self._watch.calls.call(
            self._watch.region.name, "ec2", "get_console_output", InstanceId=instance_id, **latest
        )
        now = decoded(answer.get("Output"))[-KEPT:]
        old = self._seen.get(instance_id, b"")
        tail = self._tails.pop(instance_id, b"")
        new, gap = news(old, now) if old or not tail else after(tail, now)
        told = instance_id in self._passed
        if now and told:
            self._passed.discard(instance_id)
            new, gap = b"", False
        if now:
            self._seen[instance_id] = now if new or told or not old else old
        if new:
            self._printed(node_id(instance_id), new, gap)
        return now

    def _next(self) -> str | None:
        now, bounds = asyncio.get_running_loop().time(), self._watch.calls.bounds
        due = [
            (instance_id not in self._wanted, self._at.get(instance_id, -1e12), instance_id)
            for instance_id, known in self._watch.region.known.items()
            if known.instance.state in ("running", "stopping", "shutting-down", "pending")
            and not self._held(instance_id)
            and (instance_id in self._wanted or now - self._at.get(instance_id, -1e12) > bounds.output_age)
        ]
        return min(due)[2] if due else None


def decoded(text: object) -> bytes:
    """The bytes of an output; AWS's library has decoded its Base64 to text already."""
    return text.encode("utf-8", "replace") if isinstance(text, str) else b""
