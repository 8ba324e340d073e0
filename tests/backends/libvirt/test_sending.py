"""Breaks, keys and NMIs: what is said of them, and nodes that cannot get any.

tests/e2e/test_screen.py has a guest that says what it got.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.domain_xml import Vnc
from pilot.backends.libvirt.keycodes import CODES, codes_of
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import UsageError
from pilot.verbs.sending import SENDING, SYSRQ_LETTERS
from tests.backends.libvirt import tiny_guest
from tests.backends.libvirt.conftest import Rig, Tiny
from tests.support.waiting import until

MakeRig = Callable[..., Awaitable[Rig]]
ARGS = {"send.sysrq": {"letter": "h", "by": "serial"}, "send.keys": {"keys": "enter"}}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("ctrl+alt+f2", [29, 56, 60]),
        ("Ctrl + Alt + Delete", [29, 56, 111]),
        ("enter", [28]),
        ("A", [30]),
        ("alt+print+h", [56, 99, 35]),
        ("super+kp7", [125, 71]),
        ("f24", [194]),
        ("altgr+/", [100, 53]),
    ],
)
def test_names_of_keys(text: str, codes: list[int]) -> None:
    assert codes_of(text) == codes


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "there is no key ''", "f1 to f24"),
        ("ctrl++", "there is no key ''", "f1 to f24"),
        ("ctrl+del+delete", "names a key twice", "once"),
        ("a+a", "names a key twice", "once"),
        ("contrl+c", "there is no key 'contrl'", "Did you mean control or ctrl"),
        ("\x1b[31m", "there is no key '\N{REPLACEMENT CHARACTER}[31m'", "f1 to f24"),
        ("x" * 5000, f"there is no key '{'x' * 40}'", "f1 to f24"),
        ("a+b+c+d+e+f+g+h+i", "9 keys, 8 at most", ""),
    ],
)
def test_what_is_no_key_is_refused_with_those_that_there_are(text: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        codes_of(text)
    assert said in error.value.message
    assert hint in error.value.hint


def test_every_letter_of_sysrq_has_a_key() -> None:
    assert set(SYSRQ_LETTERS) <= set(CODES)
    assert len(set(CODES.values())) == len(CODES)


def test_what_the_live_xml_says_of_vnc_and_the_serial_line() -> None:
    def live(devices: str) -> str:
        return f"<domain><devices>{devices}</devices></domain>"

    socket = "<graphics type='vnc' socket='/run/a'><listen type='socket' socket='/run/a'/></graphics>"
    assert domain_xml.vnc(live(socket)) == Vnc(0, "/run/a", False)
    assert domain_xml.vnc(live("<graphics type='spice'/>" + socket)) == Vnc(1, "/run/a", False)
    assert domain_xml.vnc(live("<graphics type='vnc' port='5900'/>")) == Vnc(0, "", True)
    assert domain_xml.vnc(live("<graphics type='vnc'><listen type='none'/></graphics>")) == Vnc(0, "", False)
    assert domain_xml.vnc(live("<graphics type='spice'/>")) is None
    assert domain_xml.vnc("not XML") is None
    line = "<serial type='pty'><alias name='serial0'/></serial>"
    assert domain_xml.serial_alias(live(line)) == "charserial0"
    assert domain_xml.serial_alias(live("<serial type='pty'/>")) == ""
    assert domain_xml.serial_alias(live("<console type='pty'><alias name='console0'/></console>")) == ""
    assert domain_xml.serial_alias("<domain") == ""


async def test_something_may_be_sent_while_a_shutdown_waits(
    rig: MakeRig, hosts: Callable[..., PrivateHost], tiny: Callable[[PrivateHost], Tiny]
) -> None:
    host = hosts()
    defining = tiny(host)
    defining.define("deaf")
    defining.define("mute", serial=False).create()
    defining.define("off")
    made = await rig(host)
    await made.sink.node_is("mute", "on")
    await made.sink.node_is("deaf", "off")
    screens = made.hold_consoles()
    await made.act("deaf", "power.on")
    console = screens[made.sink.id("deaf")]
    await console.shows(b"READY", 30)
    await console.type(tiny_guest.DEAF + b"deaf")
    await console.shows(b"deaf", 30)
    waiting = asyncio.create_task(made.refused("deaf", "power.shutdown", grace=3600.0))
    part = made.provider._part(made.sink.id("deaf"))
    await until(lambda: part.operations.running(made.sink.id("deaf")), 20, "the shutdown waits")
    for verb in (one.id for one in SENDING):
        assert (await made.act("deaf", verb, **ARGS.get(verb, {}))).state == "on"
        off = await made.refused("off", verb, **ARGS.get(verb, {}))
        assert "failed: it is off" in off.message
    assert not waiting.done()
    await made.act("deaf", "power.off")
    await waiting
    await made.act("mute", "power.pause")
    paused = await made.refused("mute", "send.nmi")
    assert paused.hint == "`power.resume` lets it run on."
    await made.act("mute", "power.resume")
    no_line = await made.refused("mute", "send.break")
    assert no_line.message == "sending a break to mute failed: it has no serial line"
    assert "<serial type='pty'/>" in no_line.hint

    defining.signal("mute", signal.SIGSTOP)
    await made.sink.node_is("mute", "on")
    node_id = made.sink.id("mute")
    await until(lambda: made.sink.now[node_id].hung_ms is not None, 30, "it is named as hung")
    for verb in (one.id for one in SENDING):
        hung = await made.refused("mute", verb, **ARGS.get(verb, {}))
        assert "its QEMU has not answered for" in hung.message
        assert "`power.off` ends a hung QEMU" in hung.hint
