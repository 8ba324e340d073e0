"""The addresses at which airboss is reached: all of them are listened on, or it does not begin."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import asyncssh

from pilot.agent.server import Doors, listen
from pilot.agent.settings import Settings
from pilot.errors import ConfigError

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0
_ANY = ("::", "0.0.0.0")  # noqa: S104 - compared with, not bound to


async def listen_everywhere(
    settings: Settings, doors: Doors, host_key: asyncssh.SSHKey, stack: contextlib.AsyncExitStack
) -> None:
    """Listen on each address of the settings until the stack is left.

    Raises:
        ConfigError: one of them cannot be listened on.
    """
    bound: set[int] = set()
    for address in settings.addresses:
        try:
            acceptor = await listen(doors, host_key, address.host, address.port)
        except OSError as error:
            if address.port in bound and address.host in _ANY:
                continue  # the other family took both
            raise ConfigError(
                f"cannot listen on {address}: {error.strerror or error}",
                "`pilot-agent check` says who holds the port; [site] listen names another.",
            ) from None
        bound.add(address.port)
        stack.push_async_callback(_close, acceptor)
        _log.info("listening on %s:%d", address.host, acceptor.get_port())


async def _close(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await acceptor.wait_closed()
