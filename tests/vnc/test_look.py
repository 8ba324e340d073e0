"""One look at a screen: what counts as drawn, and what comes of servers that draw nothing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from pilot.console.ansi import ansi
from pilot.console.engine import Look, Run
from pilot.errors import DeadlineError, VncError
from pilot.vnc.look import Looking
from tests.support.waiting import until
from tests.vnc.scripted import GREETING, Scripted, picture, raw, server_init, update

SIZE = (32, 16)


def server() -> Scripted:
    scripted = Scripted()
    scripted.feed(GREETING + server_init(*SIZE))
    return scripted


async def test_a_server_that_begins_as_none_is_left() -> None:
    scripted = Scripted()
    scripted.feed(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(VncError):
        async with Looking(scripted, 10):
            pass
    assert scripted.closed


async def test_a_picture_is_taken_as_it_comes() -> None:
    scripted, drawn = server(), picture(*SIZE)
    scripted.feed(update(raw(0, 0, drawn)))
    async with Looking(scripted, 10) as look:
        assert ((await look.whole()).packed == drawn).all()


async def test_after_an_empty_picture_the_next_is_awaited() -> None:
    scripted, drawn = server(), picture(*SIZE)
    async with Looking(scripted, 10) as look:
        seeing = asyncio.create_task(look.whole())
        await until(lambda: b"\x03\x00" in scripted.sent, 20, "all of it is asked for")
        scripted.feed(update(raw(0, 0, np.zeros_like(drawn))))
        await until(lambda: b"\x03\x01" in scripted.sent, 20, "what changes is asked for")
        scripted.feed(update(raw(0, 0, drawn)))
        async with asyncio.timeout(20):
            assert ((await seeing).packed == drawn).all()


async def test_a_screen_that_is_empty_is_a_screen_too() -> None:
    scripted = server()
    scripted.feed(update(raw(0, 0, np.zeros((SIZE[1], SIZE[0]), np.uint32))))
    async with Looking(scripted, 10) as look:
        assert not (await look.whole()).packed.any()


async def test_a_server_that_draws_nothing_has_a_deadline() -> None:
    async with Looking(server(), 0.1) as look:
        with pytest.raises(DeadlineError, match=r"not drawn for 0\.1 s"):
            await look.whole()


async def test_a_server_that_leaves_is_no_picture() -> None:
    scripted = server()
    scripted.end()
    async with Looking(scripted, 10) as look:
        with pytest.raises(VncError):
            await look.whole()


async def test_a_change_is_seen() -> None:
    scripted, drawn = server(), picture(*SIZE)
    scripted.feed(update(raw(0, 0, drawn)))
    async with Looking(scripted, 10) as look:
        await look.whole()
        changing = asyncio.create_task(look.changed())
        scripted.feed(update(raw(0, 0, drawn[::-1])))
        async with asyncio.timeout(20):
            assert ((await changing).packed == drawn[::-1]).all()


def test_colours_are_put_back_at_the_end_of_each_run() -> None:
    runs = [Run("a", Look()), Run("b", Look(1, 12)), Run("c", Look((1, 2, 3), 200, bold=True))]
    assert ansi(runs) == "a\x1b[31;104mb\x1b[0m\x1b[1;38;2;1;2;3;48;5;200mc\x1b[0m"
