"""Verbs of hosts. Their targets are hosts' names; they need no cluster."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

HOSTS: tuple[Verb, ...] = (
    Verb(
        "host.cordon",
        "cordon",
        "no node is started on the host any more; those that run there stay",
        "host",
        "admin",
        1,
        doing="cordoning",
        args=(Argument("why", "", "why, for those who are refused a start there"),),
    ),
    Verb(
        "host.uncordon",
        "uncordon",
        "nodes may be started on the host again",
        "host",
        "admin",
        1,
        doing="uncordoning",
    ),
)
