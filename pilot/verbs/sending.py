"""Verbs that send a node what a person at its keyboard, serial line or front panel could."""

from __future__ import annotations

from pilot.verbs.verb import Argument, Verb

SYSRQ_LETTERS = tuple("0123456789bcdefghijklmnopqrstuvwxyz")
"""Commands of Linux's magic SysRq key (its admin guide's sysrq page); `h` lists what a kernel knows."""

SENDING: tuple[Verb, ...] = (
    Verb(
        "send.break",
        "serial break",
        "a break on the serial line",
        "node",
        "operator",
        1,
        key="k b",
        doing="sending a break",
    ),
    Verb(
        "send.sysrq",
        "magic SysRq",
        "a command of Linux's magic SysRq key, by its letter",
        "node",
        "operator",
        2,
        key="k s",
        doing="sending SysRq",
        question="Send magic SysRq to {}?",
        consequence="b reboots at once, c crashes, o turns off, i kills everything; t, w, m and h only tell.",
        args=(
            Argument("letter", "h", "the command", SYSRQ_LETTERS),
            Argument(
                "by",
                "keyboard",
                "as Alt+SysRq on the keyboard, or as a break and the letter on the serial line",
                ("keyboard", "serial"),
            ),
        ),
    ),
    Verb(
        "send.nmi",
        "NMI",
        "a non-maskable interrupt, as the button on a server's board does",
        "node",
        "operator",
        2,
        key="k n",
        doing="sending an NMI",
        question="Send an NMI to {}?",
        consequence="Many guests are set to crash and dump their memory then.",
    ),
    Verb(
        "send.cad",
        "Ctrl+Alt+Del",
        "Ctrl+Alt+Del on the keyboard",
        "node",
        "operator",
        2,
        key="k d",
        doing="sending Ctrl+Alt+Del",
        question="Send Ctrl+Alt+Del to {}?",
        consequence="Most guests reboot then: what runs there ends.",
    ),
    Verb(
        "send.keys",
        "keys",
        "keys pressed together on the keyboard, such as ctrl+alt+f2",
        "node",
        "operator",
        1,
        doing="sending keys",
        args=(Argument("keys", "enter", "names of keys with a plus in between"),),
    ),
)
