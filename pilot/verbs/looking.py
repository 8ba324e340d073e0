"""Verbs that only look: at nodes, at changes, at the journal."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

LOOKING: tuple[Verb, ...] = (
    Verb(
        "node.list",
        "list",
        "the nodes of a cluster with their state",
        "cluster",
        "viewer",
        0,
        journaled=False,
    ),
    Verb(
        "watch",
        "watch",
        "every change, as it happens",
        "cluster",
        "viewer",
        0,
        stream=True,
        journaled=False,
        args=(
            Argument("usage", False, "processor and memory use of the nodes too, every few seconds"),
            Argument(
                "load",
                "",
                "how busy hosts were in the last hour and are; `all`: what nodes' interfaces carry, too",
                ("", "hosts", "all"),
            ),
            Argument(
                "also",
                "",
                "`machines`: HTCondor's machines with their slots, and its queues; there may be very many",
                ("", "machines"),
            ),
        ),
    ),
    Verb(
        "events.read",
        "events",
        "what happened to nodes, hosts, instances and machines, whoever wanted it",
        "cluster",
        "viewer",
        0,
        stream=True,
        journaled=False,
        args=(
            Argument("last", 500, "how many of the past, the newest ones", minimum=0, maximum=10_000),
            Argument("follow", True, "go on with new ones as they happen"),
        ),
    ),
    Verb(
        "journal.read",
        "journal",
        "what was asked of the cluster's nodes, by whom, and what came of it",
        "cluster",
        "owner",
        0,
        stream=True,
        journaled=False,
        args=(
            Argument("last", 500, "how many records of the past, the newest ones", minimum=0, maximum=5000),
            Argument("before", 0, "only records with an id below this one; 0 for the newest", maximum=2**53),
            Argument("follow", True, "go on with new records as they are written"),
            Argument("sealed", False, "the hashes of the other clusters' records too, to verify the chain"),
        ),
    ),
)
