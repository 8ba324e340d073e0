"""The menu of where one may go from what is under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from pilot.screens.verb_menu import Item, KeyMenu
from pilot.trees.links import Link

_KEYS = {"node": "n", "cluster": "k", "host": "h", "instance": "i", "slots": "s", "pool": "p", "region": "r"}
_NUMBERS = "123456789"


class LinksMenu(KeyMenu[Link]):
    """The link that is chosen; None if none is."""

    def __init__(self, name: str, links: Sequence[Link]) -> None:
        """From the thing of this name. Links of one kind are told apart by numbers, as far as these go."""
        items, taken = [], set[str]()
        for link in links:
            key = _KEYS.get(link.what, "")
            if not key or key in taken:
                key = next((number for number in _NUMBERS if number not in taken), "")
            if not key:
                continue
            taken.add(key)
            items.append(Item(key, link.what, link.name, link))
        super().__init__(f"From {name} to", items)
