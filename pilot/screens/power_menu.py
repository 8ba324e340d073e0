"""The menu of power verbs: `p` and a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pilot import offers
from pilot.live.activity import NO_POOL
from pilot.records import Node
from pilot.screens.verb_menu import Item, KeyMenu, menu_verbs, whom
from pilot.verbs import Verb

PREFIX = "p"


class PowerMenu(KeyMenu[Verb]):
    """The verb that is chosen; None if none is."""

    def __init__(self, nodes: Sequence[Node], why_not: Callable[[Verb], str]) -> None:
        """For these nodes; `why_not` says why a verb would be refused, nothing if it would not."""
        verbs = [(key, verb) for key, verb in menu_verbs(PREFIX).items() if offers.known(verb, nodes)]
        items = [Item(key, verb.label, verb.help, verb, why_not(verb)) for key, verb in verbs]
        # Most sites have no pool: what is of pools is shown where there is one.
        items = [item for item in items if item.why_not != NO_POOL]
        super().__init__(f"Power: {whom(nodes)}", items)
