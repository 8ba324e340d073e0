"""Cordoned hosts: nodes that run there stay, none is started. Kept in the database, and journaled."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import sqlalchemy as sa

from pilot import wire
from pilot.agent import schema
from pilot.agent.aside import Aside
from pilot.agent.caller import Caller
from pilot.agent.database import Database
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.ledger import Ledger
from pilot.agent.outcomes import fault_of
from pilot.agent.policy import is_site_admin
from pilot.errors import DeadlineError, PilotError, RefusedError, UsageError
from pilot.records import Cordon, Host, Node
from pilot.wire import Outcome, plain

_log = logging.getLogger(__name__)

LONGEST_WHY = 200
FOLLOW_SECONDS = 5.0
"""Between two looks for what another airboss of the same database cordoned."""
_DATABASE_SECONDS = 15.0
_STARTS = ("power.on", "power.boot", "power.install")
_RUNNING = ("on", "paused", "suspended", "stopping")


class Cordons:
    """Which hosts are cordoned. Used on the event loop's thread."""

    def __init__(
        self, database: Database, inventory: Inventory, ledger: Ledger, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._inventory = inventory
        self._ledger = ledger
        self._clock = clock
        self._aside = Aside("cordons", 1)
        self._trouble = ""

    async def load(self) -> None:
        """Take what the database says.

        Raises:
            StorageError: it cannot be read.
            TimeoutError: it does not answer.
        """
        self._inventory.cordoned(await self._aside.call(self._read, _DATABASE_SECONDS))

    async def follow(self) -> None:
        """Take up what others wrote, for ever. Troubles are logged, once each; all stays as it was."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                await self.load()
            except (PilotError, TimeoutError) as error:
                trouble = str(error) or "the database does not answer"
                if trouble != self._trouble:
                    _log.error("cordons stay as they were: %s", trouble)
                self._trouble = trouble
            else:
                self._trouble = ""

    def refuse(self, node: Node, verb: str) -> None:
        """Let a verb on a node pass.

        Raises:
            RefusedError: it would start the node on a cordoned host.
        """
        cordon = self._inventory.cordon(node.host)
        if cordon is None or verb not in _STARTS:
            return
        if verb != "power.on" and node.state in _RUNNING:
            return  # It is reset where it is.
        raise RefusedError(
            f"{plain(node.name, 80)} is not started: its host {node.host} {cordon_words(cordon)}",
            f"The site's admins end that with `pilot uncordon {node.host}`.",
        )

    async def act(self, caller: Caller, asked: Asked) -> wire.Reply:
        """Cordon hosts, or end that; the reply holds each outcome and the receipt.

        Raises:
            UsageError: no host is named.
            StorageError: the intent could not be made durable; then nothing was done.
        """
        if not asked.targets:
            raise UsageError(f"{asked.verb.id} needs at least one host", "`pilot hosts` lists them.")
        hosts, unknown = self._resolve(asked.targets)
        entry = await self._ledger.intend(caller, asked, [host.id for host in hosts])
        # Rights may have changed while the disk took its time.
        if not is_site_admin(caller.grants()):
            gone = fault_of(RefusedError("your key is not entitled to this any more", "Ask another admin."))
            refused = [Outcome(host.name, "refused", node=host.id, fault=gone) for host in hosts]
            return await self._ledger.settle(entry, refused + unknown)
        cordon = None
        if asked.verb.id == "host.cordon":
            why = plain(str(asked.args.get("why", "")).strip(), LONGEST_WHY)
            cordon = Cordon(caller.principal, self._clock(), why)
        doing = asyncio.ensure_future(self._all(hosts, cordon))
        try:
            outcomes = await asyncio.shield(doing)
        except asyncio.CancelledError:
            await self._ledger.settle_late(entry, doing)
            raise
        return await self._ledger.settle(entry, outcomes + unknown)

    async def _all(self, hosts: list[Host], cordon: Cordon | None) -> list[Outcome]:
        begun = self._clock()
        names = [host.name for host in hosts]
        error: PilotError | None = None
        try:
            await self._aside.call(lambda: self._write(names, cordon), _DATABASE_SECONDS)
            await self.load()
        except PilotError as problem:
            error = problem
        except TimeoutError:
            error = DeadlineError(
                f"the database did not take it within {_DATABASE_SECONDS:g} s", "It may still do so."
            )
        seconds = round(max(0.0, self._clock() - begun), 4)
        if error is not None:
            result: wire.Result = "unknown" if isinstance(error, DeadlineError) else "failed"
            fault = fault_of(error)
            return [Outcome(host.name, result, node=host.id, fault=fault, seconds=seconds) for host in hosts]
        return [
            Outcome(host.name, "done", node=host.id, note=_note(host, cordon), seconds=seconds)
            for host in hosts
        ]

    def _resolve(self, targets: Iterable[str]) -> tuple[list[Host], list[Outcome]]:
        """The hosts that names and globs mean, each once, and what means none."""
        known = {r.name: r for r in self._inventory.records.values() if isinstance(r, Host)}
        found: dict[str, Host] = {}
        unknown = []
        for target in targets:
            meant = [known[target]] if target in known else []
            if not meant and any(sign in target for sign in "*?["):
                meant = [host for name, host in sorted(known.items()) if fnmatchcase(name, target)]
            found.update((host.name, host) for host in meant)
            if not meant:
                fault = fault_of(
                    RefusedError(f"there is no host '{plain(target, 80)}'", "`pilot hosts` lists them.")
                )
                unknown.append(Outcome(plain(target, 80), "refused", fault=fault))
        return list(found.values()), unknown

    # --- in the thread ---------------------------------------------------------------------------

    def _read(self) -> dict[str, Cordon]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schema.cordons)).mappings().all()
        return {row["host"]: Cordon(row["principal"], row["since"], row["why"]) for row in rows}

    def _write(self, hosts: list[str], cordon: Cordon | None) -> None:
        table = schema.cordons
        with self._database.write() as connection:
            connection.execute(table.delete().where(table.c.host.in_(hosts)))
            if cordon is not None:
                rows = [
                    {"host": host, "principal": cordon.principal, "since": cordon.since, "why": cordon.why}
                    for host in hosts
                ]
                connection.execute(table.insert(), rows)


def cordon_words(cordon: Cordon) -> str:
    """Who cordoned a host, when and why, for a sentence that begins with the host's name."""
    why = f": {cordon.why}" if cordon.why else ""
    return f"was cordoned by {plain(cordon.principal, 80)} at {_moment(cordon.since)}{why}"


def _moment(seconds: float) -> str:
    # Of the reader's zone nothing is known here.
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _note(host: Host, cordon: Cordon | None) -> str:
    if (host.cordon is None) == (cordon is None):
        return "was cordoned already; who, when and why are new" if cordon else "was not cordoned"
    return ""
