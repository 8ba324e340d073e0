"""Verbs of leases: when airboss turns a node off, unless somebody renews that."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

LONGEST = 366 * 86_400.0
"""Seconds that a lease lasts at most."""

LEASES: tuple[Verb, ...] = (
    Verb(
        "lease.set",
        "lease",
        "turn the node off by itself at a time, unless that is renewed",
        "node",
        "operator",
        1,
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
