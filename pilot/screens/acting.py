"""From a verb and nodes to the question that it needs, and to the asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from textual.app import App
from textual.message import Message

from pilot import danger, leasing, offers
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit
from pilot.live.opening import Mode
from pilot.records import Host, Node
from pilot.screens import sysrq
from pilot.screens.verb_menu import whom
from pilot.verbs import BY_ID, Value, Verb
from pilot.widgets.confirm import ConfirmScreen
from pilot.wire import Recording


class VerbChosen(Message):
    """A verb is wanted for these nodes, so many of them marked and out of sight."""

    def __init__(
        self, verb: Verb, nodes: Sequence[Node], hidden: int = 0, args: Mapping[str, Value] | None = None
    ) -> None:
        super().__init__()
        self.verb = verb
        self.nodes = tuple(nodes)
        self.hidden = hidden
        self.args = dict(args or {})


class ConsolesWanted(Message):
    """The consoles of these nodes are to be opened."""

    def __init__(self, nodes: Sequence[Node], mode: Mode = "write") -> None:
        super().__init__()
        self.nodes = tuple(nodes)
        self.mode: Mode = mode


class ScreensWanted(Message):
    """The screens (VNC) of these nodes are to be opened."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        self.nodes = tuple(nodes)


class LeaseWanted(Message):
    """Until when these nodes run is to be said, so many of them marked and out of sight."""

    def __init__(self, nodes: Sequence[Node], when: str = "", hidden: int = 0) -> None:
        """`when`: what was typed already; without it, it is asked for."""
        super().__init__()
        self.nodes = tuple(nodes)
        self.when = when
        self.hidden = hidden


class CordonWanted(Message):
    """No node is to be started on hosts any more, or is again."""

    def __init__(self, hosts: Sequence[Host], cordon: bool, why: str | None = None) -> None:
        """`why`: the reason; None asks for it."""
        super().__init__()
        self.hosts = tuple(hosts)
        self.cordon = cordon
        self.why = why


class WallWanted(Message):
    """The wall is to be shown: of these nodes, of those that pass a filter, or of all."""

    def __init__(self, only: frozenset[str] = frozenset(), filter_text: str = "") -> None:
        super().__init__()
        self.only = only
        self.filter_text = filter_text


class RecordingsWanted(Message):
    """The list of recordings is to be shown."""


class RecordingWanted(Message):
    """A recording is to be played: this one, or the one that a word stands for."""

    def __init__(self, wanted: Recording | str) -> None:
        super().__init__()
        self.wanted = wanted


class BroadcastWanted(Message):
    """The consoles of these nodes are to be typed at together, so many of them marked and out of sight."""

    def __init__(self, nodes: Sequence[Node], hidden: int = 0) -> None:
        super().__init__()
        self.nodes = tuple(nodes)
        self.hidden = hidden


class TabClosed(Message):
    """A tab that the user opened is not wanted any more."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode


def recording_of(nodes: Sequence[Node], hidden: int = 0) -> VerbChosen:
    """Record the consoles of these nodes, of those that are not recorded; if all are, no longer."""
    rest = [node for node in nodes if not node.recorded]
    return VerbChosen(BY_ID["record.start" if rest or not nodes else "record.stop"], rest or nodes, hidden)


def why_not(cockpit: Cockpit, verb: Verb, nodes: Sequence[Node]) -> str:
    """Why the verb cannot be asked for; empty if it can."""
    if cockpit.readonly and verb.danger:
        return "this is a read-only look: leave out --readonly (or `readonly` in app.toml) to act"
    live = cockpit.desk.live
    if live.state != "live":
        return "there is no link to the site: R tries to connect now"
    if not nodes:
        return "there is no node for it here"
    for cluster in sorted({node.cluster for node in nodes}):
        if not live.may(verb.id, cluster):
            role = live.role_in(cluster)
            held = f"yours in {cluster or 'no cluster'} is {role}" if role else f"you have none in {cluster}"
            return f"{verb.label} needs the role {verb.role}, {held}: ask the site's admin"
    if verb.id.startswith("machine.") and not cockpit.desk.activities.in_pool(nodes):
        return f"{whom(nodes)} is in no HTCondor pool that is shown here"
    if verb.id == "machine.drain" and (reason := cockpit.desk.activities.undrainable(nodes)):
        return f"{whom(nodes)} cannot be drained from here: {reason}"
    if reason := offers.why_not(verb, nodes, cockpit.desk.activities.instance):
        return f"{verb.label} is not for {whom(nodes)}: {reason}"
    return ""


def lease(app: App[Any], cockpit: Cockpit, wanted: LeaseWanted) -> None:
    """Ask until when nodes run, if that was not said, and then airboss."""
    if reason := why_not(cockpit, BY_ID["lease.set"], wanted.nodes):
        cockpit.flash(f"Lease: {reason}.", "bad")
        return

    def said(when: str | None) -> None:
        if not when:
            return
        try:
            verb, args = leasing.asked(when, cockpit.clock())
        except PilotError as error:
            cockpit.flash_error(error)
            return
        ask(app, cockpit, verb, wanted.nodes, wanted.hidden, args)

    if wanted.when:
        said(wanted.when)
    else:
        from pilot.screens.lease import LeaseScreen

        app.push_screen(LeaseScreen(wanted.nodes, cockpit.clock), said)


def ask(
    app: App[Any],
    cockpit: Cockpit,
    verb: Verb,
    nodes: Sequence[Node],
    hidden: int = 0,
    args: Mapping[str, Value] | None = None,
) -> None:
    """Ask the person what must be asked, then airboss. `hidden`: so many of the nodes are out of sight."""
    if reason := why_not(cockpit, verb, nodes):
        cockpit.flash(f"{verb.label.capitalize()}: {reason}.", "bad")
        return
    desk, given = cockpit.desk, dict(args or {})
    if verb.id == "machine.drain" and "reason" not in given:
        from pilot.screens.reason import ReasonScreen

        def because(why: str | None) -> None:
            if why is not None:
                ask(app, cockpit, verb, nodes, hidden, {**given, "reason": why})

        screen = ReasonScreen(f"Drain {whom(nodes)}", verb.help, "All who look at the pool read this.")
        app.push_screen(screen, because)
        return
    stake = desk.activities.at_stake(verb, nodes, cockpit.clock())
    if stake is not None and stake.drains and not (given.get("drain") or given.get("anyway")):
        from pilot.screens.jobs import JobsScreen

        def decided(choice: str | None) -> None:
            if choice:
                ask(app, cockpit, verb, nodes, hidden, {**given, choice: True})

        app.push_screen(JobsScreen(verb, nodes, stake), decided)
        return
    clusters = [record for name in {n.cluster for n in nodes} if (record := desk.cluster(name)) is not None]
    question = danger.of_marks(danger.question(verb, nodes, clusters), hidden)
    if given.get("drain") and question.kind == "confirm":
        # That it happens later, to whom and why, has just been read and chosen.
        question = msgspec.structs.replace(question, kind="none")
    elif stake is not None and not given.get("drain"):
        question = danger.of_jobs(question, stake)
    if args and (letter := args.get("letter")) in sysrq.LETTERS:
        # What it does depends on the letter: the verb's own words are of all of them.
        title = question.title.replace(verb.label, f"{verb.label} {letter}")
        question = msgspec.structs.replace(
            question, title=title, consequence=f"{letter}: {sysrq.LETTERS[str(letter)]}."
        )

    def answered(yes: bool | None) -> None:
        if not yes:
            return
        try:
            desk.activities.ask(verb.id, nodes, given)
        except PilotError as error:
            cockpit.flash_error(error)

    if question.kind == "none":
        answered(True)
    else:
        app.push_screen(ConfirmScreen(question), answered)
