"""airboss as a process: puts the parts together, serves, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any, TypeAlias

from keys import hostkey, sshsig
from pilot import __version__
from pilot.agent.askers import Rights
from pilot.agent.attaching import Attaching
from pilot.agent.console_log import ConsoleLogStreams
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.logs import ConsoleLogs
from pilot.agent.cordon import Cordons
from pilot.agent.database import Database
from pilot.agent.draining import Drainings
from pilot.agent.emptying import Emptying
from pilot.agent.events import Events
from pilot.agent.events_file import EventsFile
from pilot.agent.history import History
from pilot.agent.history_file import HistoryFile
from pilot.agent.inventory import Inventory
from pilot.agent.joining import Joining
from pilot.agent.journal import Journal
from pilot.agent.journal_stream import JournalStreams
from pilot.agent.late import Late
from pilot.agent.leases import Leases
from pilot.agent.ledger import Ledger
from pilot.agent.listening import listen_everywhere
from pilot.agent.metering import serve_metrics
from pilot.agent.pictures import Pictures
from pilot.agent.power import Power
from pilot.agent.process import notify, only_one
from pilot.agent.providers import Providers
from pilot.agent.recordings.notary import Notary
from pilot.agent.recordings.recordings import Recordings
from pilot.agent.recordings.shelf import Shelf
from pilot.agent.recordings.streams import RecordingStreams
from pilot.agent.recovery import STARTED, Recovery
from pilot.agent.registry import Registry
from pilot.agent.screens.screens import Screens
from pilot.agent.sending import Sending
from pilot.agent.server import Doors
from pilot.agent.service import Service
from pilot.agent.settings import Settings
from pilot.agent.shares import Shares
from pilot.agent.usage import Usage
from pilot.backends.condor.provider import CondorPools
from pilot.backends.ec2.provider import Ec2Provider
from pilot.backends.libvirt.provider import HostAddress, LibvirtProvider
from pilot.backends.libvirt.provider import Settings as Intervals
from pilot.errors import ConfigError
from pilot.records import Cluster

_log = logging.getLogger(__name__)

Ending: TypeAlias = "asyncio.Future[int]"
"""Done once airboss is to end; holds its exit code."""
RECHECK_SECONDS = 1.0
"""How often connections are held against the entitlements of the moment: keys expire."""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code is 1 if a part that it cannot do without has failed.

    Raises:
        ConfigError, StorageError: it cannot begin; the message says why.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with only_one(settings.state):
        return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    loop = asyncio.get_running_loop()
    ending: Ending = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, ending, 0)
    async with contextlib.AsyncExitStack() as stack:
        await _start(settings, stack, ending)
        notify("READY=1")
        code = await ending
        notify("STOPPING=1")
        _log.info("stopping")
    return code


def _end(ending: Ending, code: int) -> None:
    if not ending.done():
        ending.set_result(code)


async def _start(settings: Settings, stack: contextlib.AsyncExitStack, ending: Ending) -> None:
    """Start each part; the stack stops them in the reverse order."""
    clock = time.time
    try:
        host_key = hostkey.load_or_create(settings.host_key)
    except hostkey.HostKeyError as error:
        raise ConfigError(error.message, error.hint) from None
    airboss = sshsig.fingerprint(host_key.public_data)
    database = await asyncio.to_thread(Database.open, settings.database_url)
    stack.callback(database.close)
    journal = Journal(database, clock, queue_size=settings.limits.journal_queue)
    stack.push_async_callback(journal.close)
    ledger = Ledger(journal, host_key, clock)
    stack.push_async_callback(ledger.close)
    registry = Registry(database, settings.revoked)
    stack.callback(registry.close)
    await registry.start()

    usage = Usage(settings.usage.every, clock)
    provider = LibvirtProvider(
        [HostAddress(host.name, host.uri) for host in settings.host],
        clock=clock,
        settings=Intervals(usage=settings.usage.every),
        wanted=lambda: usage.watched,
        loads=lambda host, used: history.used(host, used),
        carried=lambda host, traffic: history.carried(host, traffic),
        counted=lambda: history.nics_watched,
    )
    inventory = Inventory()
    history = History(clock, inventory.host_size)
    history_file = HistoryFile(settings.state / "history", history, clock)

    def added(cluster: str) -> float:
        entry = registry.snapshot.clusters.get(cluster)
        return math.inf if entry is None else entry.added

    def tenancy(cluster: str) -> float:
        entry = registry.snapshot.clusters.get(cluster)
        return 0.0 if entry is None else entry.added

    events = Events(inventory.records, clock, added=added)
    events_file = EventsFile(settings.state / "history", events)
    inventory.on_change.append(events.changed)
    accounts = [
        Ec2Provider(
            account,
            settings.state,
            lambda node_id, data, gap: hub.printed(node_id, data, gap),
            clock,
        )
        for account in settings.ec2
    ]
    providers = Providers(provider, accounts)

    def name_of(node_id: str) -> str:
        node = inventory.node(node_id)
        return node.name if node is not None else node_id

    logs = await ConsoleLogs.open(
        settings.console_logs, settings.console_log, clock, lambda: inventory.records.keys()
    )
    if logs is not None:
        stack.push_async_callback(logs.close)
    notary = Notary(settings.recordings_folder, journal, database, clock)
    shelf = Shelf(settings.recordings_folder, settings.recordings, notary, clock, tenancy)
    recordings = Recordings(shelf, notary, inventory, airboss, clock)
    stack.push_async_callback(recordings.close)  # Once the hub has stopped: nothing more is printed then.
    hub = ConsoleHub(providers.need, clock, name_of, inventory.presence, logs=logs, added=tenancy)
    hub.looked_at = providers.looked_at
    stack.push_async_callback(hub.stop)
    recordings.consoles = hub
    pools = CondorPools(settings.pool, clock)
    joining = Joining(inventory.extras, inventory.gone, {p.name: p.cluster for p in settings.pool})
    late = Late(inventory, Rights(registry, clock), journal, events.say)
    drainings = Drainings(
        database,
        inventory,
        joining,
        pools,
        providers.of,
        journal,
        late,
        Emptying(inventory, joining, pools, clock),
        clock,
    )
    recovery = Recovery(database, provider, journal, clock)
    stack.push_async_callback(recovery.stop)
    # Before the hub, whose consoles may be others' then.
    inventory.on_node += [recordings.node_changed, hub.node_changed, recovery.node_changed]
    inventory.on_node.append(joining.node_changed)
    inventory.on_gone += [recordings.node_gone, hub.node_gone, usage.gone, history.gone]
    shares = Shares(settings.limits)
    screens = Screens(inventory, providers.need, ledger, shares)
    inventory.on_node.append(screens.node_changed)
    inventory.on_gone.append(screens.node_gone)
    cordons = Cordons(database, inventory, ledger, clock)
    sending = Sending(hub.type_at, (hub.tell, screens.tell))
    leases = Leases(
        database,
        inventory,
        providers.of,
        journal,
        late,
        drainings,
        hub.tell,
        clock,
        drain_seconds=settings.leases.drain_hours * 3600,
    )
    service = Service(
        site=settings.site.name,
        airboss=airboss,
        inventory=inventory,
        consoles=Attaching(inventory, hub, ledger, shares, settings.consoles),
        logs=ConsoleLogStreams(inventory, hub, shares),
        recordings=RecordingStreams(shelf, shares),
        screens=screens,
        shares=shares,
        power=Power(inventory, providers.of, ledger, sending, recordings, cordons, drainings, leases),
        cordons=cordons,
        pictures=Pictures(inventory, providers.picture, ledger, shares),
        ledger=ledger,
        journals=JournalStreams(database, journal, added),
        usage=usage,
        history=history,
        events=events,
        clock=clock,
    )
    doors = Doors(service, registry, settings.limits, clock, ssh_power=settings.policy.ssh_power)

    def entitlements_changed(*_: object) -> None:
        inventory.clusters(_records(registry))
        recordings.clusters_changed()
        hub.clusters_changed()
        doors.recheck()
        service.recheck()

    registry.subscribe(entitlements_changed)
    entitlements_changed()
    await cordons.load()
    await leases.load()
    await history_file.load()
    await events_file.load()
    await recovery.load()
    await recordings.load()
    await journal.event(actor="airboss", auth="airboss", verb=STARTED, result={"version": __version__})
    sink = _Sink(inventory, joining, hub, usage)
    await providers.start(sink)
    stack.push_async_callback(providers.stop)
    await pools.start(sink)
    stack.push_async_callback(pools.stop)
    await drainings.load()
    stack.push_async_callback(drainings.stop)
    stack.push_async_callback(history_file.save)
    stack.push_async_callback(events_file.save)
    _background(stack, usage.run(), "usage", ending)
    _background(stack, history.run(), "history", ending)
    _background(stack, history_file.run(), "history's file", ending)
    _background(stack, events_file.run(), "events' file", ending)
    _background(stack, registry.follow(), "registry", ending)
    _background(stack, cordons.follow(), "cordons", ending)
    _background(stack, leases.run(), "leases", ending)
    _background(stack, _recheck(doors, service), "recheck", ending)
    if settings.metrics.address is not None:
        await serve_metrics(settings.metrics.address, stack, inventory, history, doors, shares, journal)
    await listen_everywhere(settings, doors, host_key, stack)
    stack.push_async_callback(doors.close)
    _log.info("airboss %s of %s is %s", __version__, settings.site.name, airboss)


def _records(registry: Registry) -> list[Cluster]:
    return [
        Cluster(f"cluster:{entry.name}", name=entry.name, vlan=entry.vlan, protected=entry.protected)
        for entry in registry.snapshot.clusters.values()
    ]


class _Sink:
    """What a provider tells goes to the inventory; a node that starts waits for its console."""

    def __init__(self, inventory: Inventory, joining: Joining, hub: ConsoleHub, usage: Usage) -> None:
        self.host = inventory.host
        self.nodes = inventory.nodes
        self.extras = joining.extras
        self.gone = joining.gone
        self.usage = usage.usage
        self.starting = hub.hold


async def _recheck(doors: Doors, service: Service) -> None:
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        if doors.recheck():
            service.recheck()


def _background(
    stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None], name: str, ending: Ending
) -> None:
    """Run what must not fail: without it airboss would go on with old rights, so it ends and says so."""
    task = asyncio.create_task(work, name=name)

    def fell(_task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.critical("%s ended", name, exc_info=task.exception())
            _end(ending, 1)

    async def end() -> None:
        task.cancel()
        await asyncio.wait((task,))

    task.add_done_callback(fell)
    stack.push_async_callback(end)
