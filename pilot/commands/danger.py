"""Asking before what cannot be taken back: what would happen to whom, and Cancel unless yes is said."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pilot.commands.asking import confirm, read_line
from pilot.commands.talk import Talk
from pilot.danger import Stake, at_stake, question
from pilot.errors import DeadlineError, NoSuchNodeError, RefusedError
from pilot.records import Cluster, Machine, Node, Source
from pilot.verbs import Verb
from pilot.wire import plain

if TYPE_CHECKING:
    from pilot.link.link import Link

_LOOK_SECONDS = 10.0


async def agreed(talk: Talk, link: Link, verb: Verb, cluster: str, targets: Sequence[str]) -> bool:
    """Show what the verb would do to which nodes, and ask.

    Raises:
        NoSuchNodeError: there is none of them.
        RefusedError: airboss has said already that this signer may not.
    """
    if verb.id not in link.hello.verbs:
        raise RefusedError(
            f"{verb.id} needs the role {verb.role}",
            "`pilot login` says which is yours; ask the site's admin.",
        )
    reply = await link.call("node.list", cluster, targets)
    nodes = [record for record in reply.records if isinstance(record, Node)]
    for outcome in reply.outcomes:
        if outcome.fault is not None and nodes:
            talk.say(outcome.fault.message, "bad")
        elif outcome.fault is not None:
            raise NoSuchNodeError(plain(outcome.fault.message), plain(outcome.fault.hint))
    asked = question(verb, nodes, await _cluster(link, cluster))
    if asked.kind == "none":
        return True
    talk.say(asked.title, "strong")
    if len(asked.names) > 1:
        width = max(40, shutil.get_terminal_size().columns - 2)
        talk.say(
            "\n".join(
                textwrap.wrap("  ".join(asked.names), width, initial_indent="  ", subsequent_indent="  ")
            )
        )
    talk.say(f"{asked.consequence} {asked.why}".rstrip())
    if asked.kind == "word":
        talk.raw(f"Type {asked.word} to go on, anything else to cancel: ")
        return asked.agrees(await read_line() or "")
    return await confirm(talk, "Go on?")


async def stake_at(link: Link, verb: Verb, cluster: str, targets: Sequence[str]) -> Stake | None:
    """The HTCondor jobs that run on nodes, and die with the verb; None if none does.

    Raises:
        DeadlineError: airboss did not say.
    """
    reply = await link.call("node.list", cluster, targets)
    nodes = [record for record in reply.records if isinstance(record, Node)]
    found: list[Machine] = []
    sources: list[Source] = []
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            async for frame in link.watch(cluster, also="machines"):
                told = getattr(frame, "records", ())
                found += (record for record in told if isinstance(record, Machine))
                sources += (record for record in told if isinstance(record, Source))
                if getattr(frame, "last", True):
                    break
    except TimeoutError:
        raise DeadlineError(
            f"airboss did not say within {_LOOK_SECONDS:.0f} s which HTCondor jobs run there",
            "Nothing was done. Try again.",
        ) from None
    return at_stake(verb, nodes, found, sources, time.time())


async def _cluster(link: Link, cluster: str) -> list[Cluster]:
    """The cluster's record: whether it asks for its name is in it."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            async for frame in link.watch(cluster):
                for record in getattr(frame, "records", ()):
                    if isinstance(record, Cluster) and record.name == cluster:
                        return [record]
                if getattr(frame, "last", True):
                    break
    except TimeoutError:
        raise DeadlineError(
            f"airboss did not say within {_LOOK_SECONDS:.0f} s whether {plain(cluster)} is protected",
            "Nothing was done. Try again.",
        ) from None
    return []
