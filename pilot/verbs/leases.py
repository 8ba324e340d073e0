"""Verbs of leases: when airboss turns a node off, unless somebody renews that."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

LONGEST = 366 * 86_400.0
"""Seconds that a lease lasts at most."""

WARN_SECONDS = 900.0
"""How long before its end people are told, at most: of a short lease, a quarter of it."""


def warned_before(seconds: float) -> float:
    """How many seconds before the end of a lease of so many seconds people are told."""
    return min(WARN_SECONDS, seconds / 4)


LEASES: tuple[Verb, ...] = (
    Verb(
        "lease.set",
        "lease",
        "turn the node off by itself at a time, unless that is renewed",
        "node",
        "operator",
        1,
        key="p l",
        doing="leasing",
        args=(
            Argument(
                "ends", 0.0, "when, in seconds since the epoch; 0 to say it with `seconds`", maximum=2.0**40
            ),
            Argument("seconds", 0.0, "in so many seconds from now; 0 to say it with `ends`", maximum=LONGEST),
        ),
    ),
    Verb(
        "lease.renew",
        "renew",
        "let the node run longer: as long again as its lease was given for",
        "node",
        "operator",
        1,
        doing="renewing its lease",
        args=(Argument("seconds", 0.0, "or so many seconds from now", maximum=LONGEST),),
    ),
    Verb(
        "lease.cancel",
        "cancel the lease",
        "turn the node off at no time",
        "node",
        "operator",
        1,
        doing="cancelling its lease",
    ),
)
