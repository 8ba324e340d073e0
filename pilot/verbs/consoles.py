"""Verbs of serial consoles and screens: to be at them, what they printed, and recordings."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

CONSOLES: tuple[Verb, ...] = (
    Verb(
        "console.tail",
        "tail",
        "the last that the node's serial console printed, and what follows, without attaching",
        "node",
        "viewer",
        0,
        stream=True,
        journaled=False,
    ),
    Verb(
        "console.open",
        "console",
        "the node's serial console",
        "node",
        "viewer",
        0,
        key="c",
        stream=True,
        args=(
            Argument(
                "mode",
                "write",
                "write (if nobody else does), watch, take the keyboard from who has it, or join: type too",
                ("write", "watch", "take", "join"),
            ),
            Argument(
                "replay",
                1024 * 1024,
                "how much of what was printed before to begin with, about, in bytes",
                maximum=1024 * 1024,
            ),
        ),
    ),
    Verb(
        "console.log",
        "log",
        "what the node's serial console printed, with the time of each line; also of a node that is off",
        "node",
        "viewer",
        0,
        stream=True,
        journaled=False,
        args=(
            Argument("last", 10_000, "how many lines, the newest ones", minimum=0, maximum=1_000_000),
            Argument("before", 0, "only bytes before this place in the log; 0 for the newest", maximum=2**53),
            Argument(
                "since", 0.0, "only lines printed since then, in seconds since the epoch", maximum=2.0**40
            ),
            Argument("boot", False, "only since the node was last turned on"),
            Argument("follow", False, "go on with new lines as they are printed"),
        ),
    ),
    Verb(
        "screen.open",
        "screen",
        "the node's screen (VNC)",
        "node",
        "viewer",
        0,
        key="v",
        stream=True,
        args=(
            Argument("mode", "control", "control (keys and pointer), or only watch", ("control", "watch")),
            Argument("exclusive", False, "nobody else sees it meanwhile; those who do are sent away"),
        ),
    ),
    Verb(
        "record.start",
        "record",
        "record what the serial console prints from now on (asciicast v3)",
        "node",
        "operator",
        1,
        key="o",
        doing="beginning to record",
        args=(Argument("input", False, "what is typed too, passwords included; needs the role owner"),),
    ),
    Verb(
        "record.stop",
        "stop recording",
        "end the recording of the serial console",
        "node",
        "operator",
        1,
        doing="ending its recording",
    ),
    Verb(
        "record.list",
        "recordings",
        "the recordings of a cluster's nodes",
        "cluster",
        "viewer",
        0,
        stream=True,
        journaled=False,
    ),
    Verb(
        "record.read",
        "recording",
        "one recording, as a file",
        "cluster",
        "viewer",
        0,
        stream=True,
        journaled=False,
        args=(Argument("id", "", "which one, as `record.list` names it"),),
    ),
)
