"""The `:` line: what its words mean, and how they can go on.

It has no screen: words and the nodes that are known go in, a destination or completions come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec

from pilot import leasing
from pilot.errors import NoSuchNodeError, UsageError
from pilot.records import AnyRecord, Host, Node
from pilot.render.natural import natural_key
from pilot.selectors import matcher, resolve
from pilot.trees import links
from pilot.verbs import VERBS, Verb

AREAS: dict[str, tuple[str, ...]] = {
    "nodes": ("nodes", "node", "vms", "vm"),
    "hosts": ("hosts", "host"),
    "vlans": ("vlans", "vlan"),
    "instances": ("instances", "instance", "ec2"),
    "slots": ("slots", "slot", "machines", "pools"),
    "overview": ("overview", "attention"),
    "clusters": ("clusters",),
    "events": ("events", "event"),
    "activity": ("activity", "asked"),
    "journal": ("journal",),
}
"""The app's areas, by mode, with the words that lead there."""

COMMANDS: dict[str, str] = {
    "broadcast": "type at the consoles of several nodes at once",
    "cluster": "show one cluster's nodes; without a name, all of yours",
    "cordon": "start no node on a host any more: its name, and why",
    "uncordon": "start nodes on a host again",
    "filter": "use, save or forget a saved filter",
    "help": "the keys that work here",
    "play": "play a recording: its id, or a node's newest",
    "quit": "leave pilot",
    "recordings": "the recordings of consoles",
    "site": "go to another site",
    "wall": "the screens of all nodes side by side",
    "theme": "dark, light, terminal or terminal-light",
}
"""What else there is, and what it does."""

_ALIASES = {"q": "quit", "q!": "quit", "exit": "quit", "keys": "help", "ctx": "site", "sites": "site"}
MOST_COMPLETIONS = 50


class Area(msgspec.Struct, frozen=True):
    """An area of the app, with a filter to set there (None: as it is)."""

    mode: str
    filter: str | None = None


class Command(msgspec.Struct, frozen=True):
    """One of COMMANDS, with what was said after it."""

    name: str
    words: tuple[str, ...] = ()


class Spot(msgspec.Struct, frozen=True):
    """A node to show."""

    node: str
    """Its id."""


class Line(msgspec.Struct, frozen=True):
    """A line of an area."""

    mode: str
    key: str


class Asked(msgspec.Struct, frozen=True):
    """A verb for nodes; for those marked, or under the cursor, if none are named."""

    verb: Verb
    nodes: tuple[Node, ...] | None


class Together(msgspec.Struct, frozen=True):
    """Nodes whose consoles are typed at together; those marked if none are named."""

    nodes: tuple[Node, ...] | None


class Leased(msgspec.Struct, frozen=True):
    """Until when nodes run; those marked if none are named, and asked for if no time is."""

    nodes: tuple[Node, ...] | None
    when: str


Destination = Area | Command | Spot | Line | Asked | Together | Leased


class Known(msgspec.Struct, frozen=True):
    """What the line may speak of, as of now."""

    nodes: Sequence[Node]
    clusters: Sequence[str] = ()
    sites: Sequence[str] = ()
    themes: Sequence[str] = ()
    filters: Sequence[str] = ()
    verbs: Sequence[Verb] = ()
    others: Sequence[AnyRecord] = ()
    """What is no node and has a name: hosts, instances, machines, pools."""
    now: float = 0.0
    """Seconds since the epoch: times are to come."""


def node_verbs(readonly: bool = False) -> tuple[Verb, ...]:
    """The verbs that a person asks of nodes."""
    asked = (verb for verb in VERBS if verb.scope == "node" and (verb.key or _acts(verb)))
    return tuple(verb for verb in asked if not (readonly and verb.danger))


def _acts(verb: Verb) -> bool:
    return verb.journaled and not verb.stream


def go(line: str, known: Known) -> Destination | None:
    """Where a line leads; None for an empty one.

    Raises:
        UsageError: nothing is called that.
        NoSuchNodeError: a verb is asked of a node that is not known.
    """
    words = line.split()
    if not words:
        return None
    head, rest = words[0].lower(), words[1:]
    for mode, names in AREAS.items():
        if head in names:
            return Area(mode, line.split("/", 1)[1].strip() if "/" in line else None)
    head = _ALIASES.get(head, head)
    if head == "broadcast":
        return Together(_nodes(rest, known.nodes) if rest else None)
    if head in COMMANDS:
        return Command(head, tuple(rest))
    if head.startswith("@"):
        return Command("cluster", (words[0][1:],))
    for verb in known.verbs:
        if head in (verb.label, verb.id) and verb.id == "lease.set":
            named, when = leasing.parted(rest, known.now)
            return Leased(_nodes(named, known.nodes) if named else None, when)
        if head in (verb.label, verb.id):
            return Asked(verb, _nodes(rest, known.nodes) if rest else None)
    found = [node for node in known.nodes if words[0] in (node.name, node.id, node.domain)]
    if not found and len(words) == 1:
        found = _fitting(words[0], known.nodes)
    exact = any(words[0] in (node.name, node.id, node.domain) for node in found)
    other = None if exact or len(words) > 1 else links.named(words[0], known.others)
    if found and (other is None or other.name != words[0]):
        return Spot(found[0].id)
    if other is not None:
        return follow(other)
    raise UsageError(
        f"nothing here is called '{words[0]}'",
        "A resource (nodes, hosts, vlans), a name, or a verb and nodes: off compute-0-[0-3].",
    )


def follow(link: links.Link) -> Destination:
    """Where a link leads."""
    return Spot(link.key) if link.area == "nodes" else Line(link.area, link.key)


def _nodes(selectors: Sequence[str], nodes: Sequence[Node]) -> tuple[Node, ...]:
    resolved = resolve(selectors, nodes)
    if resolved.unknown:
        raise NoSuchNodeError(
            f"{', '.join(resolved.unknown)} is not a node of yours that is shown here",
            "`:cluster` shows all of yours; Tab completes names.",
        )
    return resolved.nodes


def _fitting(text: str, nodes: Sequence[Node]) -> list[Node]:
    """Nodes whose name fits a pattern, or else begins so, or else has it inside."""
    if any(character in text for character in "*?["):
        fits = matcher(text)
        return [node for node in nodes if fits(node.name)]
    begins = [node for node in nodes if node.name.startswith(text)]
    return begins or [node for node in nodes if text in node.name]


def complete(line: str, known: Known) -> list[str]:
    """Whole lines that this one may become, the likeliest first, MOST_COMPLETIONS at most."""
    words = line.split()
    last = "" if not words or line.endswith(" ") else words[-1]
    before = words if not last else words[:-1]
    stem = " ".join(before) + " " if before else ""
    names: Iterable[str]
    if not before:
        verbs = [verb.label for verb in known.verbs]
        fixed = [*AREAS, *COMMANDS, *verbs]
        names = [*sorted(fixed), *("@" + name for name in known.clusters if last.startswith("@"))]
        names = [*names, *_names(last, known.nodes), *_others(last, known.others)] if last else names
    elif before[0].lower() in ("broadcast", "play"):
        names = _names(last, [node for node in known.nodes if node.name not in before])
    elif (head := _ALIASES.get(before[0].lower(), before[0].lower())) in COMMANDS:
        hosts = [record.name for record in known.others if isinstance(record, Host)]
        names = {
            "cluster": known.clusters,
            "site": known.sites,
            "theme": known.themes,
            "filter": [*known.filters, "save", "forget"],
            "cordon": hosts,
            "uncordon": hosts,
        }.get(head, ())
    elif any(head in (verb.label, verb.id) for verb in known.verbs):
        names = _names(last, [node for node in known.nodes if node.name not in before])
    else:
        names = ()
    wanted = last.lower()
    return [stem + name for name in islice(_likely(wanted, names), MOST_COMPLETIONS)]


def _names(last: str, nodes: Iterable[Node]) -> list[str]:
    wanted = last.lower()
    names = {node.name for node in nodes if node.name and wanted in node.name.lower()}
    return sorted(names, key=natural_key)


def _others(last: str, records: Iterable[AnyRecord]) -> list[str]:
    wanted = last.lower()
    names = {link.name for link in links.all_named(records) if wanted in link.name.lower()}
    return sorted(names, key=natural_key)


def _likely(wanted: str, names: Iterable[str]) -> Iterable[str]:
    inside = []
    for name in names:
        lowered = name.lower()
        if lowered.startswith(wanted):
            yield name
        elif wanted in lowered:
            inside.append(name)
    yield from inside
