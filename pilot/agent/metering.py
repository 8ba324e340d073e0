"""Where metrics are taken from; prometheus_client is imported only by who serves them."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from pilot.agent.history import History
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.settings import Address
from pilot.agent.shares import Shares
from pilot.errors import ConfigError

if TYPE_CHECKING:
    from pilot.agent.metrics import Now
    from pilot.agent.server import Doors

_log = logging.getLogger(__name__)


async def serve_metrics(
    address: Address,
    stack: contextlib.AsyncExitStack,
    inventory: Inventory,
    history: History,
    doors: Doors,
    shares: Shares,
    journal: Journal,
) -> None:
    """Serve metrics until the stack is left.

    Raises:
        ConfigError: prometheus_client is not installed, or the address cannot be listened on.
    """
    try:
        from pilot.agent.metrics import Metrics, Now
    except ImportError:
        raise ConfigError(
            "[metrics] listen needs prometheus_client, which is not installed",
            "Install prometheus_client beside rocks-pilot, or take the key out.",
        ) from None

    def now() -> Now:
        loads = ((name, history.host_now(name)) for name in history.hosts)
        return Now(
            tuple(inventory.records.values()),
            {name: load for name, load in loads if load is not None},
            {
                "connections": len(doors.open),
                "watchers": shares.held("watch"),
                "verbs": shares.held("act"),
                "screens": shares.held("screens"),
                "journal_queue": journal.waiting,
            },
        )

    metrics = Metrics(now)
    port = await metrics.listen(address)
    stack.push_async_callback(metrics.close)
    _log.info("metrics on %s:%d", address.host, port)
