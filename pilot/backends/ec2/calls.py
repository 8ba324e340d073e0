"""Calls to AWS for one account, on airboss's loop, with what takes long kept off it.

aioboto3 and what it loads take a second of a processor: a thread does that. See `parsing.py` for answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from pilot.backends.ec2.connecting import session_class
from pilot.backends.ec2.faults import Fault, fault_of, skew_of
from pilot.backends.ec2.parsing import factory, no_garbage_rounds, spare
from pilot.backends.ec2.settings import Bounds, Ec2Settings

_log = logging.getLogger(__name__)

RENEW_SECONDS = 10.0
"""The shortest time between two readings of the credentials."""
_WARM = ("ec2",)

_loader: Any = None
"""Reads descriptions of services, and keeps them."""


def _session(profile: str) -> Any:
    """Import, make a session, and load what clients are made from; takes a second: for a thread."""
    with no_garbage_rounds():
        session = _loaded(profile)
    spare("session")
    return session


def _loaded(profile: str) -> Any:
    import aioboto3

    session: Any = aioboto3.Session(profile_name=profile or None)
    within: Any = session._session  # noqa: SLF001 - there is no other way
    within.register_component("response_parser_factory", factory())
    global _loader
    if _loader is None:
        _loader = within.get_component("data_loader")
    within.register_component("data_loader", _loader)

    async def load() -> None:
        for service in _WARM:
            async with session.client(
                service,
                region_name="us-east-1",
                aws_access_key_id="none",
                aws_secret_access_key="none",  # noqa: S106
            ):
                pass

    asyncio.run(load())
    return session


def _made(context: Callable[[], Any], service: str) -> Any:
    """A client that is made, and not connected yet: for a thread. Its connections are its user's loop's."""

    async def make() -> Any:
        return await context()._coro  # noqa: SLF001 - entering it would open its connections in this loop

    client = asyncio.run(make())
    spare(service)
    return client


class Calls:
    """An account's calls."""

    def __init__(self, account: Ec2Settings, bounds: Bounds, clock: Callable[[], float] = time.time) -> None:
        self.account = account
        self.bounds = bounds
        self.skew: float | None = None
        """By how many seconds airboss's clock is ahead of AWS's, as AWS said last."""
        self._clock = clock
        self._making: asyncio.Task[Any] | None = None
        self._made = -1e9
        self._clients: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._one = asyncio.Lock()
        self._open = contextlib.AsyncExitStack()
        self._old: set[asyncio.Task[None]] = set()

    async def call(
        self, region: str, service: str, operation: str, deadline: float | None = None, **args: Any
    ) -> Any:
        """One call's answer.

        Raises:
            Fault: it failed, or did not answer within the deadline (seconds).
        """
        try:
            async with asyncio.timeout(deadline or self.bounds.page):
                client = await self._client(region, service)
                answer = await getattr(client, operation)(**args)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # botocore raises classes of many parents
            raise self._fault(error) from None
        self.skew = skew_of(answer, self._clock())
        return answer

    async def pages(
        self, region: str, service: str, operation: str, size: int | None = None, **args: Any
    ) -> AsyncIterator[Any]:
        """All pages of an answer, one after the other, each within its own deadline."""
        token = ""
        for _ in range(10_000):
            more: dict[str, Any] = {"NextToken": token} if token else {}
            page = await self.call(
                region, service, operation, **args, **more, **({"MaxResults": size} if size else {})
            )
            if not isinstance(page, dict):
                raise Fault("garbled", "what answered is not AWS, or only half an answer")
            yield page
            before, token = token, str(page.get("NextToken") or "")
            if not token:
                return
            if token == before:
                break
        raise Fault("garbled", "what answered is not AWS: it has no end")

    def renew(self) -> None:
        """Read the credentials again with the next call: those that were used do not work."""
        if self._making is None or time.monotonic() - self._made < RENEW_SECONDS:
            return
        self._making, self._clients, old = None, {}, self._open
        self._open = contextlib.AsyncExitStack()
        task = asyncio.create_task(self._let_go(old))
        self._old.add(task)
        task.add_done_callback(self._old.discard)

    async def close(self) -> None:
        """Let all connections go."""
        for task in [*self._clients.values(), *self._old]:
            task.cancel()
        await asyncio.gather(*self._clients.values(), *self._old, return_exceptions=True)
        self._clients.clear()
        with contextlib.suppress(Exception):
            await self._open.aclose()

    # --- inside ----------------------------------------------------------------------------------

    async def _client(self, region: str, service: str) -> Any:
        key = (region, service)
        task = self._clients.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._clients[key] = asyncio.create_task(self._make(region, service))
        return await asyncio.shield(task)

    async def _make(self, region: str, service: str) -> Any:
        making = self._making
        if making is None or (making.done() and (making.cancelled() or making.exception() is not None)):
            self._made = time.monotonic()
            making = self._making = asyncio.create_task(asyncio.to_thread(_session, self.account.profile))
        stack = self._open
        session = await asyncio.shield(making)
        from aiobotocore.config import AioConfig

        config = AioConfig(
            http_session_cls=session_class(),
            connect_timeout=self.bounds.connect,
            read_timeout=self.bounds.page,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=16,
        )
        making_client = partial(
            session.client,
            service,
            region_name=region,
            endpoint_url=self.account.endpoint or None,
            config=config,
        )
        # Making one reads what the service can do from a file: up to a second of a processor. It is not
        # meant for several threads at once.
        async with self._one:
            client = await asyncio.to_thread(_made, making_client, service)
        return await stack.enter_async_context(client)

    async def _let_go(self, old: contextlib.AsyncExitStack) -> None:
        try:
            await asyncio.sleep(self.bounds.page)
        finally:
            with contextlib.suppress(Exception):
                await old.aclose()

    def _fault(self, error: Exception) -> Fault:
        fault = fault_of(error, self._clock())
        if fault.kind in ("credentials", "expired"):
            self.renew()
        if fault.kind == "other" and not fault.code:
            _log.warning("account %s: %s", self.account.name, fault.said)
        return fault
