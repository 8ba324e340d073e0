"""What stock ssh is shown."""

from __future__ import annotations

import asyncio

from pilot.agent.stock_console import filtered
from pilot.terminal_filter import TerminalFilter


async def test_a_long_replay_lets_others_run_in_between_and_loses_nothing() -> None:
    data = b"\x1b[1mbold\x1b[0m plain\r\n" * 20_000 + b"\x1b[2"
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    shown = await filtered(TerminalFilter(), data)
    task.cancel()
    assert shown == TerminalFilter().feed(data)
    assert turns >= len(data) // (16 * 1024)
