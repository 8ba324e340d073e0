"""`pilot watch`: what there is, then every change as it happens, for as long as one likes."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from pilot.commands.context import Context

if TYPE_CHECKING:
    from pilot import wire
    from pilot.records import AnyRecord, Node
    from pilot.store import Store


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """What the command takes: nothing of its own."""


def run(args: argparse.Namespace) -> int:
    """Watch until interrupted."""
    return asyncio.run(_run(Context(args)))


async def _run(context: Context) -> int:
    from pilot.link import reconnect
    from pilot.store import Store

    link = await context.connect()
    cluster = context.cluster(link, needed=False)
    view = _Json(context) if context.talk.json else _Lines(context)
    store = Store()
    async for event in reconnect.watch(context.connect, link, cluster):
        if isinstance(event, reconnect.Lost):
            store.lost(time.time())
            view.lost(event.why)
        elif isinstance(event, reconnect.Back):
            view.back()
        else:
            view.frame(store, event)
    return 0


class _Lines:
    """For people: a table first, then a line for each change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._talk = context.talk
        self._shown = False
        self._before: dict[str, AnyRecord] = {}

    def frame(self, store: Store, frame: wire.Snapshot | wire.Delta) -> None:
        from pilot.commands import names
        from pilot.render.nodes import in_order, node_table

        changed = store.apply(frame)
        if not store.complete:
            return
        now = time.time()
        if not self._shown:
            self._shown = True
            nodes = in_order(store.nodes())
            names.remember(self._context.config.state, self._context.site.name, nodes)
            self._talk.data(node_table(nodes, now, self._talk.out_colour) if nodes else [])
            self._talk.say(f"{len(nodes)} nodes. Changes follow as they happen; Ctrl+C ends.", "dim")
        else:
            moment = frame.time or now if hasattr(frame, "time") else now
            for key in sorted(changed.keys):
                self._change(self._before.get(key), store.records.get(key), moment, now)
        self._before = dict(store.records) if changed.keys or not self._before else self._before

    def _change(self, before: AnyRecord | None, after: AnyRecord | None, moment: float, now: float) -> None:
        from pilot.records import Host, Node
        from pilot.render.nodes import change_text
        from pilot.render.palette import paint
        from pilot.render.times import clock
        from pilot.wire import plain

        record = after or before
        if not isinstance(record, Node | Host):
            return
        colour = self._talk.out_colour
        text = ""
        if isinstance(record, Node):
            text = change_text(_node(before), _node(after), now, colour)
        elif isinstance(record, Host) and isinstance(after, Host | None):
            text = f"host {after.state} {plain(after.detail)}".rstrip() if after else "host gone"
        if text:
            time_of_day = paint(clock(moment), "dim", colour)
            self._talk.data([f"{time_of_day}  {paint(plain(record.name), 'strong', colour)}  {text}"])

    def lost(self, why: str) -> None:
        self._talk.say(f"{why}; trying again. What is above is the last that is known.", "busy")

    def back(self) -> None:
        self._talk.say("connected again", "dim")


def _node(record: AnyRecord | None) -> Node | None:
    from pilot.records import Node

    return record if isinstance(record, Node) else None


class _Json(_Lines):
    """For programs: an object a line, each with `event`."""

    def frame(self, store: Store, frame: wire.Snapshot | wire.Delta) -> None:
        from pilot import wire
        from pilot.commands.as_json import record_json

        changed = store.apply(frame)
        if not store.complete or (isinstance(frame, wire.Snapshot) and not frame.last):
            return
        moment = frame.time if isinstance(frame, wire.Delta) else time.time()
        first = not self._shown
        self._shown = True
        for key in sorted(changed.keys):
            record = store.records.get(key)
            if record is None:
                self._talk.data_json({"event": "gone", "time": moment, "id": key})
            else:
                event = "present" if first else "changed"
                self._talk.data_json({"event": event, "time": moment, "record": record_json(record)})
        if isinstance(frame, wire.Snapshot):
            self._talk.data_json({"event": "ready", "time": moment, "version": store.version})

    def lost(self, why: str) -> None:
        self._talk.data_json({"event": "lost", "time": time.time(), "why": why})

    def back(self) -> None:
        self._talk.data_json({"event": "back", "time": time.time()})
