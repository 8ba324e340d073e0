"""Verbs of nodes that are machines of an HTCondor pool."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

MACHINES: tuple[Verb, ...] = (
    Verb(
        "machine.drain",
        "drain",
        "give it no more HTCondor jobs; those that run there end by themselves",
        "node",
        "operator",
        1,
        key="p d",
        doing="draining",
        args=(Argument("reason", "", "why, for all who look at the pool"),),
    ),
    Verb(
        "machine.undrain",
        "undrain",
        "give it HTCondor jobs again, and do not turn it off once it is empty",
        "node",
        "operator",
        1,
        key="p u",
        doing="taking back the draining",
    ),
)
