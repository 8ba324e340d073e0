"""Hosts on which no node is to be started any more, or is again: asked with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App

from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit
from pilot.records import Host
from pilot.screens.reason import ReasonScreen
from pilot.verbs import BY_ID, Value
from pilot.wire import plain


def named(cockpit: Cockpit, names: Sequence[str]) -> list[Host]:
    """The hosts of these names.

    Raises:
        PilotError: one is not known.
    """
    known = {host.name: host for host in cockpit.desk.live.store.of(Host)}
    if unknown := [name for name in names if name not in known]:
        raise PilotError(f"{', '.join(unknown)} is no host that is shown here", "`:hosts` lists them.")
    return [known[name] for name in names]


def why_not(cockpit: Cockpit, verb_id: str, hosts: Sequence[Host]) -> str:
    """Why it cannot be asked for; empty if it can."""
    live = cockpit.desk.live
    if cockpit.readonly:
        return "this is a read-only look"
    if live.state != "live":
        return "there is no link to the site: R tries to connect now"
    if not hosts:
        return "the cursor is on no host"
    return "" if live.may(verb_id, "*") else "it is for the site's admins"


def ask(app: App[Any], cockpit: Cockpit, hosts: Sequence[Host], cordon: bool, why: str | None = None) -> None:
    """Cordon hosts, or take that back; asks why if that was not said."""
    verb = BY_ID["host.cordon" if cordon else "host.uncordon"]
    if reason := why_not(cockpit, verb.id, hosts):
        cockpit.flash(f"{verb.label.capitalize()}: {reason}.", "bad")
        return

    def said(why: str | None) -> None:
        if why is None:
            return
        args: dict[str, Value] = {"why": why} if cordon else {}
        try:
            cockpit.desk.activities.ask(verb.id, hosts, args)
        except PilotError as error:
            cockpit.flash_error(error)

    if not cordon or why is not None:
        said(why or "")
        return
    whom = plain(hosts[0].name) if len(hosts) == 1 else f"{len(hosts)} hosts"
    app.push_screen(
        ReasonScreen(f"Cordon {whom}", verb.help, "Who is refused a start there reads this."), said
    )
