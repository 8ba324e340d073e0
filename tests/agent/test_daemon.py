"""How airboss ends when a part that it cannot do without fails."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from pilot.agent import daemon


@pytest.mark.parametrize(("fails", "code"), [(True, 1), (False, 0)])
async def test_a_part_that_fails_ends_airboss_with_a_failure_and_a_stop_does_not(
    fails: bool, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    ending: daemon.Ending = asyncio.get_running_loop().create_future()

    async def part() -> None:
        if fails:
            raise RuntimeError("the registry is gone")
        await asyncio.Event().wait()

    async with contextlib.AsyncExitStack() as stack:
        daemon._background(stack, part(), "registry", ending)
        if not fails:
            daemon._end(ending, 0)
        async with asyncio.timeout(20):
            assert await ending == code
    assert ("registry ended" in caplog.text) == fails
