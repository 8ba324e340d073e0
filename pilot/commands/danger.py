"""Asking before what cannot be taken back: what would happen to whom, and Cancel unless yes is said."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pilot.commands.asking import confirm, confirm_word
from pilot.commands.talk import Talk
from pilot.errors import NoSuchNodeError, RefusedError
from pilot.records import Cluster, Node
from pilot.render.nodes import in_order
from pilot.verbs import Verb
from pilot.wire import plain

if TYPE_CHECKING:
    from pilot.link.link import Link

MANY = 16
"""From so many nodes on, the cluster's name is to be typed."""
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
    nodes = in_order(record for record in reply.records if isinstance(record, Node))
    for outcome in reply.outcomes:
        if outcome.fault is not None and nodes:
            talk.say(outcome.fault.message, "bad")
        elif outcome.fault is not None:
            raise NoSuchNodeError(plain(outcome.fault.message), plain(outcome.fault.hint))
    names = [plain(node.name) for node in nodes]
    count = f"{len(nodes)} nodes" if len(nodes) != 1 else names[0]
    talk.say(f"{verb.label} {count} of {plain(cluster)}? That is to {verb.help}.", "strong")
    if len(nodes) > 1:
        width = max(40, shutil.get_terminal_size().columns - 2)
        talk.say(
            "\n".join(textwrap.wrap("  ".join(names), width, initial_indent="  ", subsequent_indent="  "))
        )
    if verb.danger >= 3 or len(nodes) >= MANY or await _protected(link, cluster):
        word = cluster if len(nodes) > 1 else names[0]
        return await confirm_word(talk, f"Type {plain(word)} to go on, anything else to cancel:", word)
    return await confirm(talk, "Go on?")


async def _protected(link: Link, cluster: str) -> bool:
    """Whether the cluster asks for its name before a disruptive verb."""
    async with asyncio.timeout(_LOOK_SECONDS):
        async for frame in link.watch(cluster):
            for record in getattr(frame, "records", ()):
                if isinstance(record, Cluster) and record.name == cluster:
                    return record.protected
            if getattr(frame, "last", True):
                break
    return False
