"""Commands that show a part of the inventory: once, or again and again as it changes."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.errors import DeadlineError, UnreachableError

if TYPE_CHECKING:
    from pilot.link.link import Link
    from pilot.link.watching import Also, LoadOf
    from pilot.loads import Loads
    from pilot.store import Store

FIRST_LOAD_SECONDS = 2.0
"""How long the first figures are waited for."""
CALM_SECONDS = 1.0
"""Between two pictures of what changes, at least."""
REDRAW_SECONDS = 5.0
"""Between two pictures while no record changes: ages grow, and what is known beside records changes."""
_HOME, _REST, _LINE = "\x1b[H", "\x1b[J", "\x1b[K"

Lines = Callable[["Store", "Loads", float], list[str]]
"""What people are shown, of records and loads, now."""
Data = Callable[["Store", "Loads", float], Any]
"""What programs are given."""


def add_watch(parser: argparse.ArgumentParser) -> None:
    """The option that goes on."""
    parser.add_argument(
        "--watch", action="store_true", help="again and again, as it changes; with --json an array a line"
    )


async def look(context: Context, load: LoadOf, lines: Lines, data: Data, also: Also = "") -> int:
    """Show it once, or with `--watch` until interrupted, across losses of the link."""
    talk, screen = context.talk, context.args.watch and context.talk.out_colour
    link = await context.connect()
    cluster = context.cluster(link, needed=False)
    if screen:
        talk.write(_HOME + _REST)
    last: object = None
    async with aclosing(_pictures(context, link, cluster, load, also)) as pictures:
        async for store, loads in pictures:
            now = time.time()
            if talk.json:
                if (told := data(store, loads, now)) != last:
                    talk.data_json(told)
                last = told
            elif screen:
                # Drawn over what was there, line by line: nothing flickers.
                shown = [line + _LINE for line in lines(store, loads, now)]
                talk.write(_HOME + "\n".join(shown) + "\n" + _REST)
            elif (told := lines(store, loads, now)) != last:
                last = told
                talk.data(told)
                if context.args.watch:
                    talk.data([""])
            if not context.args.watch:
                break
    return 0


async def _pictures(
    context: Context, link: Link, cluster: str, load: LoadOf, also: Also
) -> AsyncGenerator[tuple[Store, Loads], None]:
    """Records and loads once they are whole, and after each change; not more often than is calm."""
    from pilot.link import reconnect
    from pilot.link.backoff import Backoff
    from pilot.loads import Loads
    from pilot.store import Store

    store, loads, backoff = Store(), Loads(), Backoff()
    while True:
        why, whole = "", False
        fresh = asyncio.Event()
        taking = asyncio.create_task(_take(link, cluster, load, also, store, loads, fresh))
        try:
            while not taking.done():
                waiting = asyncio.create_task(fresh.wait())
                await asyncio.wait(
                    (taking, waiting), timeout=REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                waiting.cancel()
                if not fresh.is_set() and (taking.done() or not whole):
                    continue
                whole = True
                fresh.clear()
                backoff.reset()
                yield store, loads
                await asyncio.sleep(CALM_SECONDS)
            try:
                taking.result()
                why = "airboss ended the watch"
            except (UnreachableError, DeadlineError) as error:
                if not context.args.watch:
                    raise
                why = error.message
        finally:
            taking.cancel()
            await asyncio.wait((taking,))
            await link.close()
        context.talk.say(f"{why}; trying again. What is above is the last that is known.", "busy")
        link = await reconnect.again(context.connect, backoff)


async def _take(
    link: Link, cluster: str, load: LoadOf, also: Also, store: Store, loads: Loads, fresh: asyncio.Event
) -> None:
    """Take frames in; `fresh` is set once all is there, and when something has changed since."""
    from pilot import wire

    loop = asyncio.get_running_loop()
    patience: asyncio.TimerHandle | None = None
    ready = False

    def enough() -> None:
        nonlocal ready
        ready = True
        fresh.set()

    try:
        async with aclosing(link.watch(cluster, load=load, also=also)) as frames:
            async for frame in frames:
                if isinstance(frame, wire.Load):
                    loads.take(frame)
                    enough()
                elif isinstance(frame, wire.Snapshot):
                    if frame.first:
                        loads.begin_anew()
                    store.apply(frame)
                    if frame.last and not load:
                        enough()
                    elif frame.last and patience is None:
                        patience = loop.call_later(FIRST_LOAD_SECONDS, enough)
                elif isinstance(frame, wire.Delta) and store.apply(frame).keys and ready:
                    fresh.set()
    finally:
        if patience is not None:
            patience.cancel()
