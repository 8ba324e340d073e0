"""Waiting for a condition with a deadline, instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Awaitable[T | None]], deadline: float = ..., what: str = ..., every: float = ...
) -> T: ...


@overload
async def until(
    condition: Callable[[], T | None], deadline: float = ..., what: str = ..., every: float = ...
) -> T: ...


async def until(
    condition: Callable[[], object], deadline: float = 20.0, what: str = "", every: float = 0.01
) -> object:
    """Await a condition: called again and again until what it gives is true, which is given back.

    Raises:
        AssertionError: it was not within `deadline` seconds; says `what` was awaited.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what or condition}")
        await asyncio.sleep(every)


def until_sync(condition: Callable[[], T], deadline: float = 20.0, what: str = "", every: float = 0.01) -> T:
    """The same without an event loop."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what or condition}")
        time.sleep(every)
    return value
