"""All that airboss drives: the hosts of the site, and accounts at EC2, as one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pilot.backends.ec2.provider import Ec2Provider
from pilot.backends.provider import Provider, Sink
from pilot.errors import NoSuchNodeError, RefusedError, UnreachableError

_log = logging.getLogger(__name__)


class Providers:
    """Finds for each node who drives it. Used on the event loop's thread."""

    def __init__(self, local: Provider, accounts: Sequence[Ec2Provider] = ()) -> None:
        """`local` drives the site's own hosts."""
        self._accounts = tuple(accounts)
        self._all: tuple[Provider, ...] = (local, *accounts)

    async def start(self, sink: Sink) -> None:
        """Begin to watch with all."""
        for provider in self._all:
            await provider.start(sink)

    async def stop(self) -> None:
        """Stop all at once; one that fails holds up no other."""
        ends = await asyncio.gather(*(provider.stop() for provider in self._all), return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                _log.error("a provider did not stop in order", exc_info=end)

    def of(self, node_id: str) -> Provider | None:
        """Who drives a node now; None if nobody does."""
        return next((provider for provider in self._all if provider.owns(node_id)), None)

    def need(self, node_id: str) -> Provider:
        """Who drives a node now.

        Raises:
            UnreachableError: nobody does.
        """
        found = self.of(node_id)
        if found is None:
            raise UnreachableError(
                f"no host has the node {node_id} now", "`pilot nodes` lists what is there."
            )
        return found

    async def picture(self, node_id: str) -> bytes:
        """A JPEG of what an instance's screen shows.

        Raises:
            RefusedError: it is no instance.
            PilotError: as for Provider.act.
        """
        found = self.of(node_id)
        if found is None:
            raise NoSuchNodeError("it is gone", "`pilot nodes` lists what is there.")
        if not isinstance(found, Ec2Provider):
            raise RefusedError(
                "airboss takes no pictures of VMs: they have a screen", "`pilot screen NODE` shows it."
            )
        return await found.picture(node_id)

    def looked_at(self, node_id: str) -> None:
        """Somebody reads what a node printed: what EC2 has of it is fetched soon."""
        for account in self._accounts:
            if account.owns(node_id):
                account.looked_at(node_id)
