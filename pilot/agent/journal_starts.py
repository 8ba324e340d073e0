"""Which starts of nodes the journal does not know the end of: what recovery has to look at."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from pilot.agent.database import Database
from pilot.agent.schema import journal

RECOVER = "airboss.recover"
"""The event that says what became of a start: its target is the node, its arg `intent` the record."""
PAUSE = "power.pause"
_PAGE = 2000


class _Starts:
    """What a pass over the journal, oldest record first, makes of each node."""

    def __init__(self, verbs: Collection[str]) -> None:
        self.verbs = verbs
        self.pending: dict[str, list[int]] = {}
        """Node to the start intents that may have left it paused."""
        self._intents: dict[int, tuple[str, ...]] = {}

    def intent(self, id: int, verb: str, targets: tuple[str, ...]) -> None:
        self._intents[id] = targets
        for node in targets:
            if verb in self.verbs:
                self.pending.setdefault(node, []).append(id)
            elif verb == PAUSE:  # whoever asked for that wants it paused
                self.pending.pop(node, None)

    def outcome(self, id: int, result: Any) -> None:
        results = (
            {item.get("node"): item.get("result") for item in result if isinstance(item, dict)}
            if isinstance(result, list)
            else {}
        )
        for node in self._intents.pop(id, ()):
            ended = results.get(node)
            if ended == "done":
                self.ended(node, id)
            elif ended != "unknown":
                self._drop(node, lambda start: start == id)

    def ended(self, node: str, id: int) -> None:
        """All starts up to this record are over."""
        self._drop(node, lambda start: start <= id)

    def _drop(self, node: str, which: Any) -> None:
        left = [start for start in self.pending.get(node, ()) if not which(start)]
        if left:
            self.pending[node] = left
        else:
            self.pending.pop(node, None)


def unfinished_starts(database: Database, verbs: Collection[str], since: float) -> dict[str, int]:
    """Nodes that may have been left paused by a start, each with the newest intent that may have done so.

    That is: an intent of one of the verbs without an outcome, or with the outcome `unknown`; after which
    nothing was done to the node, nobody asked to pause it, and no airboss has looked at it.

    Args:
        database: the journal's.
        verbs: those that start nodes.
        since: seconds since the epoch; older intents are left alone.
    """
    starts = _Starts(verbs)
    columns = (journal.c[name] for name in ("id", "kind", "verb", "targets", "args", "result", "intent"))
    query = (
        sa.select(*columns)
        .where(
            journal.c.time >= int(since * 1_000_000),
            sa.or_(journal.c.kind != "event", journal.c.verb == RECOVER),
        )
        .order_by(journal.c.id)
        .limit(_PAGE)
    )
    after = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(journal.c.id > after)).all()
        for row in rows:
            if row.kind == "intent":
                starts.intent(row.id, row.verb, msgspec.json.decode(row.targets, type=tuple[str, ...]))
            elif row.kind == "outcome":
                starts.outcome(row.intent, msgspec.json.decode(row.result))
            else:
                for node in msgspec.json.decode(row.targets, type=tuple[str, ...]):
                    starts.ended(node, int(msgspec.json.decode(row.args).get("intent", 0)))
        if len(rows) < _PAGE:
            return {node: ids[-1] for node, ids in starts.pending.items()}
        after = rows[-1].id


def paused_since(database: Database, node: str, intent: int) -> bool:
    """Whether somebody asked to pause the node after this record."""
    query = sa.select(journal.c.targets).where(
        journal.c.id > intent, journal.c.kind == "intent", journal.c.verb == PAUSE
    )
    with database.read() as connection:
        return any(node in msgspec.json.decode(row.targets) for row in connection.execute(query))
