"""Warnings of leases that end: a notification for each, whichever screen is looked at."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.app import App

from pilot import leasing
from pilot.live.cockpit import Cockpit, Desk
from pilot.records import Node
from pilot.wire import plain

_SECONDS = 30.0
"""For how long it is shown."""
_AT_ONCE = 3
"""So many are named; of more it is said how many they are."""


class LeaseWarnings:
    """Follows the site that is looked at. airboss says when it is time to warn."""

    def __init__(self, app: App[Any], cockpit: Cockpit) -> None:
        self._app = app
        self._cockpit = cockpit
        self._desk: Desk | None = None
        self._task: asyncio.Task[None] | None = None
        self._said: set[tuple[str, str, float]] = set()
        """Site, node and end of those that were told."""

    def look(self) -> None:
        """Follow another site, if another is looked at."""
        desk = self._cockpit.desk
        if desk is not self._desk:
            self.stop()
            self._desk = desk
            self._task = asyncio.create_task(self._follow(desk), name="lease-warnings")

    def stop(self) -> None:
        """Follow none."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self, desk: Desk) -> None:
        subscription = desk.live.store.subscribe()
        try:
            self._warn(desk, list(desk.live.store.nodes()))
            async for changed in subscription:
                records = (desk.live.store.records.get(key) for key in changed.keys)
                self._warn(desk, [record for record in records if isinstance(record, Node)])
        finally:
            subscription.close()

    def _warn(self, desk: Desk, nodes: list[Node]) -> None:
        now, news = self._cockpit.clock(), []
        for node in nodes:
            lease = node.lease
            if lease is None or not lease.warned or node.state == "off" or lease.ends <= now:
                continue
            told = (desk.live.name, node.id, lease.ends)
            if told not in self._said:
                self._said.add(told)
                news.append((plain(node.name or node.domain, 80), lease))
        if not news:
            return
        lines = [f"{name}: {leasing.words(lease, now)}" for name, lease in news[:_AT_ONCE]]
        if len(news) > _AT_ONCE:
            lines.append(f"and {len(news) - _AT_ONCE} more nodes")
        self._app.notify(
            "\n".join(lines), title="A lease ends: `:lease` renews it", severity="warning",
            timeout=_SECONDS, markup=False,
        )  # fmt: skip
        self._cockpit.flash(f"Goes off unless its lease is renewed: {lines[0]}", "busy", _SECONDS)
