"""Where one may go from a line, as a menu."""

from __future__ import annotations

from pilot.screens.links_menu import LinksMenu
from pilot.trees.links import Link


def test_there_are_no_more_links_than_keys() -> None:
    menu = LinksMenu(
        "x", [Link("nodes", str(n), "used by", str(n)) for n in range(20)] + [Link("hosts", "h", "host", "h")]
    )
    assert list(menu._items) == [*"123456789", "h"]
