"""What is said where something would be: why it is not there, and how it gets there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pilot.render.connection import LinkState
from pilot.store import Store


class Seen(Protocol):
    """What is asked of a live site."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> LinkState: ...
    @property
    def store(self) -> Store: ...
    def clusters(self) -> Sequence[str]: ...


def no_nodes(live: Seen, scope: str) -> str:
    """Why there is no node in a cluster, or with an empty scope in none of the user's."""
    if not live.store.complete:
        if live.state == "connecting":
            return f"Connecting to {live.name} …"
        return "Nothing is known yet: there is no link to the site."
    if scope and scope not in live.clusters():
        return f"There is no cluster '{scope}', or it is not yours. `:cluster` shows all of yours."
    if scope:
        return f"{scope} has no nodes. `pilot-agent cluster adopt {scope}` gives it its VMs."
    return "None of your clusters has a node. The site's admin adopts VMs: `pilot-agent cluster adopt`."
