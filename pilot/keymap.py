"""The user's own keys: `[keys]` of app.toml, checked against the actions that there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys

from pilot.errors import ConfigError
from pilot.screens.activity import ActivityPane, ActivityScreen
from pilot.screens.journal import JournalScreen
from pilot.screens.nodes import NodesScreen, NodeTable
from pilot.widgets.table import VirtualTable

_SCREENS: tuple[tuple[type[DOMNode], ...], ...] = (
    (NodesScreen, NodeTable),
    (JournalScreen, VirtualTable),
    (ActivityScreen, ActivityPane),
)
"""What has keys at the same time."""
_NAMED = {key.value for key in Keys} | {"space", "enter", "escape", "tab", "backspace"}
_RELEASE = "console.release"
_MODIFIED = re.compile(r"((?:(?:ctrl|alt|shift|super|meta)\+)*)(.+)")


class OwnKeys(NamedTuple):
    """What `read` makes of the user's keys."""

    keymap: dict[str, str]
    """As Textual takes it."""
    lost: str = ""
    """Which actions have lost a key to another one, in words; empty if none has."""


def read(keys: Mapping[str, str]) -> OwnKeys:
    """Check the keys.

    Raises:
        ConfigError: there is no such action, or no such key.
    """
    if not keys:
        return OwnKeys({})
    screens = [_bindings(classes) for classes in (*_SCREENS, *_others())]
    known = {name for bindings in screens for name in bindings}
    keymap = {name: _keys(name, text, known) for name, text in keys.items()}
    lost = sorted({line for bindings in screens for line in _lost(bindings, keymap)})
    return OwnKeys(keymap, "; ".join(lost))


def release_key(keys: Mapping[str, str], usual: str) -> str:
    """The key that leaves a guest, of keys that `read` took; the first of several."""
    return _key(_RELEASE, _parts(keys[_RELEASE])[0]) if _RELEASE in keys else usual


def _others() -> tuple[tuple[type[DOMNode], ...], ...]:
    from pilot.screens.broadcast import BroadcastScreen  # with it come terminals, which not every start needs
    from pilot.screens.clusters import ClustersScreen, PartTable
    from pilot.screens.console import ConsoleScreen
    from pilot.screens.events import EventsScreen, EventTable
    from pilot.screens.hosts import HostsScreen
    from pilot.screens.instances import InstancesScreen
    from pilot.screens.machines import MachinesScreen
    from pilot.screens.overview import ConcernTable, OverviewScreen
    from pilot.screens.player_pane import PlayerPane
    from pilot.screens.player_tab import PlayerScreen
    from pilot.screens.recordings import RecordingsScreen, RecordingTable
    from pilot.screens.screen_keys import ScreenKeys
    from pilot.screens.vlans import VlansScreen
    from pilot.widgets.tree_table import TreeTable
    from pilot.widgets.wall import Wall

    return (
        (ConsoleScreen,),
        (BroadcastScreen,),
        (ScreenKeys,),
        (NodesScreen, Wall),
        (RecordingsScreen, RecordingTable),
        (PlayerScreen, PlayerPane),
        *((tree, TreeTable) for tree in (HostsScreen, VlansScreen, InstancesScreen, MachinesScreen)),
        (OverviewScreen, ConcernTable),
        (ClustersScreen, PartTable),
        (EventsScreen, EventTable),
    )


def _bindings(classes: Iterable[type[Any]]) -> dict[str, set[str]]:
    """The keys of each action."""
    found: dict[str, set[str]] = {}
    for cls in classes:
        for base in cls.__mro__:
            for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", ())):
                if binding.id:
                    found.setdefault(binding.id, set()).add(binding.key)
    return found


def _keys(name: str, text: str, known: Iterable[str]) -> str:
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), 1)
        meant = f"Perhaps '{near[0]}'? " if near else ""
        raise ConfigError(f"app.toml, keys: there is no action '{name}'", f"{meant}`?` in pilot names them.")
    return ",".join(_key(name, part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    return [text] if text == "," else [part.strip() for part in text.split(",")]


def _key(name: str, key: str) -> str:
    match = _MODIFIED.fullmatch(key)
    last = match[2] if match else ""
    if len(last) == 1 or last in _NAMED or key in _NAMED:
        return f"{match[1]}{_named(last)}" if match else key
    raise ConfigError(
        f"app.toml, keys: '{name}' is to be on '{key}', which is no key",
        "A character, or a name such as enter, space, f5, pagedown, ctrl+t; several with commas.",
    )


def _named(key: str) -> str:
    """Textual's name of a sign: `right_square_bracket` for `]`."""
    return "comma" if key == "," else next(iter(Binding.make_bindings([Binding(key, "")]))).key


def _lost(bindings: Mapping[str, set[str]], keymap: Mapping[str, str]) -> Iterable[str]:
    """Actions that are there at the same time and whose key is another one's now."""
    for name in bindings.keys() & keymap.keys():
        taken = set(keymap[name].split(","))
        for other, own in bindings.items():
            theirs = set(keymap[other].split(",")) if other in keymap else own
            if other != name and (both := taken & theirs):
                yield f"{', '.join(sorted(both))} is {name} now, and no longer {other}"
