"""What is asked before a verb is done: the same rules for the command line and for the app.

Danger 0 and 1 ask nothing, but for marks: see `of_marks`. Danger 2 asks for a yes. Danger 3, many nodes at
once, and a cluster that the admin has marked as protected ask for a word to be typed, because a yes is typed
without reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from pilot.jobs import doomed, undrainable
from pilot.leasing import left
from pilot.records import Cluster, Machine, Node, Source
from pilot.render.natural import natural_key
from pilot.render.nodes import in_order
from pilot.verbs import Verb
from pilot.wire import plain

MOST_JOBS = 8
"""Jobs that are listed before a verb ends them; of the others it is said how many they are."""
MANY = 16
"""From so many nodes on, a word is to be typed."""


class Question(msgspec.Struct, frozen=True):
    """What would happen to whom, and how consent is given. All texts are fit for a terminal."""

    kind: Literal["none", "confirm", "word"]
    """`none`: nothing needs to be asked."""
    title: str
    """The question, such as `Turn off 3 nodes of vc1 now?`."""
    act: str
    """The words for doing it, such as `Turn off`: for a button."""
    consequence: str
    names: tuple[str, ...]
    """Of all nodes concerned, in the order in which people count."""
    word: str = ""
    """What is to be typed if the kind is `word`."""
    why: str = ""
    """Why a yes is not enough."""

    def agrees(self, typed: str) -> bool:
        """Whether what was typed is the word."""
        return self.kind == "word" and typed.strip() == self.word


def question(verb: Verb, nodes: Sequence[Node], clusters: Iterable[Cluster] = ()) -> Question:
    """What to ask before the verb is done on these nodes. `clusters`: the records of theirs, where known."""
    names = tuple(plain(node.name or node.domain) for node in in_order(nodes))
    theirs = sorted({node.cluster for node in nodes})
    where = plain(theirs[0]) if len(theirs) == 1 else f"{len(theirs)} clusters"
    what = f"{names[0]} of {where}" if len(names) == 1 else f"{len(names)} nodes of {where}"
    asked = verb.question or f"{verb.label.capitalize()} {{}}?"
    act = asked.partition("{}")[0].strip().removesuffix(" to")
    title = asked.replace("{}", what)
    if verb.danger < 2:
        return Question("none", title, act, verb.consequence, names)
    why = _why(verb, len(names), [c for c in clusters if c.name in theirs and c.protected])
    if not why:
        return Question("confirm", title, act, verb.consequence, names)
    # Several clusters have no name in common: how many nodes it is must have been read.
    word = f"{len(names)} nodes" if len(theirs) != 1 else where
    return Question("word", title, act, verb.consequence, names, names[0] if len(names) == 1 else word, why)


class Stake(msgspec.Struct, frozen=True):
    """HTCondor jobs that would die. All texts are fit for a terminal."""

    count: int
    words: str
    """`2 HTCondor jobs would die`."""
    jobs: tuple[str, ...]
    """A line for each of the first: id, owner, where, and for how long it has run."""
    drains: bool
    """Whether the verb can wait for them."""
    undrainable: str = ""
    """Why it cannot after all: HTCondor cannot be asked to give those nodes no more jobs."""


def at_stake(
    verb: Verb, nodes: Iterable[Node], machines: Iterable[Machine], sources: Iterable[Source], now: float
) -> Stake | None:
    """The HTCondor jobs that a verb would end on these nodes; None if it ends none.

    Args:
        verb: what is asked.
        nodes: whom.
        machines: those that are known, of whatever node.
        sources: where they are known from.
        now: seconds since the epoch.
    """
    if verb.danger < 2 or not verb.id.startswith("power."):
        return None
    names = {node.id: plain(node.name or node.domain) for node in nodes if node.state != "off"}
    theirs = [machine for machine in machines if machine.node in names]
    found = [(names[machine.node], slot) for machine in theirs for slot in doomed(machine)]
    if not found:
        return None
    lines = []
    found.sort(key=lambda one: (natural_key(one[0]), natural_key(one[1].job)))
    for name, slot in found[:MOST_JOBS]:
        ran = f", has run for {left(now - slot.job_since)}" if slot.job_since else ""
        lines.append(f"{plain(slot.job, 40)} of {plain(slot.owner, 80) or '?'} on {name}{ran}")
    if len(found) > MOST_JOBS:
        lines.append(f"and {len(found) - MOST_JOBS} more")
    count = "1 HTCondor job" if len(found) == 1 else f"{len(found)} HTCondor jobs"
    drains = any(argument.name == "drain" for argument in verb.args)
    busy = [machine for machine in theirs if doomed(machine)]
    return Stake(len(found), f"{count} would die", tuple(lines), drains, undrainable(busy, sources))


def of_jobs(asked: Question, stake: Stake) -> Question:
    """The question about nodes whose jobs die: that is said, and asked whatever it costs else."""
    kind = "confirm" if asked.kind == "none" else asked.kind
    return msgspec.structs.replace(
        asked, kind=kind, consequence=f"{stake.words}: {'; '.join(stake.jobs)}. {asked.consequence}".rstrip()
    )


def of_marks(asked: Question, hidden: int) -> Question:
    """The question about nodes that were marked, `hidden` of them out of sight.

    A mark is easily forgotten: what is done to nodes that are not seen, or to many, is asked whatever it
    costs.
    """
    if asked.kind == "none" and (hidden or len(asked.names) >= MANY):
        asked = msgspec.structs.replace(asked, kind="confirm")
    if not hidden:
        return asked
    said = f"{hidden} of them {'is' if hidden == 1 else 'are'} hidden by the filter."
    if len(asked.names) == 1:
        said = "It is hidden by the filter."
    return msgspec.structs.replace(asked, why=f"{asked.why} {said}".strip())


def _why(verb: Verb, count: int, protected: Sequence[Cluster]) -> str:
    if protected:
        return f"{', '.join(plain(cluster.name) for cluster in protected)} is a protected cluster."
    if count >= MANY:
        return f"That is {count} nodes at once."
    return "That is hard to take back." if verb.danger >= 3 else ""
