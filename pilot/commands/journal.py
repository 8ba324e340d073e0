"""`pilot journal`: what was asked of your nodes, by whom, what came of it; and whether that is true."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.errors import DeadlineError, Exit, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilot.journal import Record
    from pilot.link.link import Link
    from pilot.live.journal_verify import Verified

LAST = 100
MOST = 5000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--last",
        type=_count,
        metavar="N",
        help=f"so many of the newest records ({LAST}); a request and its outcome are two",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--follow", "-f", action="store_true", help="go on with what is asked from now on")
    how.add_argument(
        "--verify", action="store_true", help="check the whole journal, and your receipts against it"
    )
    parser.add_argument(
        "--airboss",
        action="append",
        metavar="FINGERPRINT",
        default=[],
        help="with --verify: a host key that the site had before",
    )


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= MOST:
        raise argparse.ArgumentTypeError(f"from 0 to {MOST}")
    return count


def run(args: argparse.Namespace) -> int:
    """List, follow or check."""
    return asyncio.run(_run(Context(args), args))


async def _run(context: Context, args: argparse.Namespace) -> int:
    last = LAST if args.last is None else args.last
    async with await context.connect() as link:
        cluster = _cluster(context, link)
        if args.verify:
            return await _verify(context, link, cluster, args.airboss)
        view = _Json(context) if context.talk.json else _Lines(context, cluster)
        if args.follow:
            await _follow(context, link, cluster, last, view)
        past: list[Record] = []
        async for page in link.journal(cluster, last=last, follow=False):
            past += page.records
        view.past(past)
    return Exit.OK


def _cluster(context: Context, link: Link) -> str:
    """The cluster that is meant: for a site admin who names none, all that there is."""
    site_admin = any(grant.cluster == "*" and grant.role == "admin" for grant in link.grants)
    return context.cluster(link, needed=not site_admin)


async def _follow(context: Context, link: Link, cluster: str, last: int, view: _Lines) -> None:
    """Go on until interrupted, through losses of the connection."""
    from pilot.link.backoff import Backoff
    from pilot.link.reconnect import again

    backoff = Backoff()
    begun = False
    while True:
        try:
            past: list[Record] | None = []
            async for page in link.journal(cluster, last=MOST if begun else last):
                if past is None:
                    view.news(page.records)
                    continue
                past += page.records
                if not page.more:
                    view.news(past) if begun else view.past(past)
                    past, begun = None, True
                    backoff.reset()
        except (UnreachableError, DeadlineError) as error:
            view.lost(error.message)
        finally:
            await link.close()
        link = await again(context.connect, backoff)
        view.back()


class _Lines:
    """For people: a table, then a line for each thing that is asked or ends."""

    def __init__(self, context: Context, cluster: str = "") -> None:
        self._talk = context.talk
        self._where = f"of {cluster}" if cluster else "of this site"
        self._asked: dict[int, Record] = {}
        self._names: dict[str, str] = {}
        self._upto = 0

    def past(self, records: Sequence[Record]) -> None:
        """What there is."""
        from pilot.journal import Deed
        from pilot.render.journal import journal_table, names_in

        if not records:
            self._talk.say(f"There is nothing in the journal {self._where} yet.", "dim")
            return
        deeds: dict[int, Deed] = {}
        for record in self._new(records):
            asked = deeds.get(record.intent)
            deeds[record.intent if asked else record.id] = (
                Deed(asked.record, record) if asked else Deed(record)
            )
        self._names.update(names_in(records))
        self._talk.data(journal_table(list(deeds.values()), time.time(), self._talk.out_colour, self._names))

    def news(self, records: Sequence[Record]) -> None:
        """What was written since."""
        from pilot.journal import Deed
        from pilot.render.journal import journal_line, names_in

        records = self._new(records)
        self._names.update(names_in(records))
        ended = {record.intent for record in records if record.kind == "outcome"}
        for record in records:
            if record.kind == "intent" and record.id in ended:
                continue  # told in one line with its outcome
            intent = self._asked.pop(record.intent, None)
            deed = Deed(intent, record) if intent is not None else Deed(record)
            self._talk.data([journal_line(deed, time.time(), self._talk.out_colour, self._names)])

    def _new(self, records: Sequence[Record]) -> list[Record]:
        """Those that were not told before."""
        new = [record for record in records if record.id > self._upto]
        for record in new:
            self._upto = record.id
            if record.kind == "intent":
                self._asked[record.id] = record
        while len(self._asked) > MOST:
            del self._asked[next(iter(self._asked))]
        return new

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._talk.say(f"{why}; trying again.", "busy")

    def back(self) -> None:
        """It is there again."""
        self._talk.say("connected again", "dim")


class _Json(_Lines):
    """For programs: a record a line."""

    def past(self, records: Sequence[Record]) -> None:
        self.news(records)

    def news(self, records: Sequence[Record]) -> None:
        from pilot.commands.as_json import journal_json

        for record in self._new(records):
            self._talk.data_json(journal_json(record))

    def lost(self, why: str) -> None:
        self._talk.say(f"{why}; trying again.")


async def _verify(context: Context, link: Link, cluster: str, airboss: Sequence[str]) -> int:
    from pilot.live.journal import receipts_in
    from pilot.live.journal_verify import verify

    talk = context.talk
    begin = time.monotonic()
    drawn = False

    def progress(done: int, total: int) -> None:
        nonlocal drawn
        if talk.err_tty and time.monotonic() - begin > 1:
            drawn = True
            talk.raw(f"\r{done} of {total} records…")

    receipts = await asyncio.to_thread(receipts_in, context.config.receipts)
    found = await verify(
        link, cluster, airboss={link.hello.airboss, *airboss}, receipts=receipts, progress=progress
    )
    if drawn:
        talk.say()
    if talk.json:
        talk.data_json(_as_json(found))
    else:
        _say(context, found, cluster)
    return Exit.OK if found.ok else Exit.FAILED


def _as_json(found: Verified) -> dict[str, Any]:
    import msgspec

    return {
        **msgspec.structs.asdict(found.report),
        "ok": found.ok,
        "receipts": found.receipts,
        "contradicted": [{"record": id, "problem": problem} for id, problem in found.contradicted],
    }


def _say(context: Context, found: Verified, cluster: str) -> None:
    """What was found, in words."""
    from pilot.render.journal import verified_lines
    from pilot.render.palette import paint
    from pilot.wire import plain

    colour = context.talk.out_colour
    lines = verified_lines(found.report, found.receipts, found.contradicted, cluster)
    context.talk.data(paint(plain(text, 1000), tone, colour) for text, tone in lines)
    if not found.ok:
        sys.stdout.flush()
        context.talk.say(
            "Tell the site's admin, and keep your receipts: `pilot-agent journal verify`.", "dim"
        )
