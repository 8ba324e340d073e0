"""`pilot log` and `pilot console --wait-for` as they are run: real processes against the stand-in."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from pilot import wire
from pilot.commands.wait_for import Seen, unescaped
from pilot.errors import Exit, UsageError
from pilot.patterns import compile_pattern
from tests.client.stand_in import Channel, StandIn, User

AT = 1795450831.25


@pytest.fixture
def ada(user: User) -> User:
    """A user who knows the site."""
    user.pin()
    return user


def page(*data: bytes, at: int = 0, more: bool = False, gap: bool = False) -> wire.LogPage:
    """Lines half a second apart."""
    lines = []
    for number, line in enumerate(data):
        lines.append(wire.LogLine(at, AT + number / 2, 100.0 + number / 2, line))
        at += len(line)
    return wire.LogPage(tuple(lines), more, gap)


async def test_lines_are_dated_and_cannot_do_anything_to_a_terminal(ada: User, airboss: StandIn) -> None:
    airboss.log = [
        page(b"\x1b[2J\x1b]0;owned\x07boot \x1b[1;31mred\x1b[m\r\n", b"10%\r20%\r\n", more=True),
        page(b"login: ", at=100),
    ]
    code, out, err = await ada.pilot("log", "compute-0-0", "--time", "utc")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2026-11-23T16:20:31.250Z boot red",
        "2026-11-23T16:20:31.750Z 20%",
        "2026-11-23T16:20:31.250Z login: ",
    ]
    assert airboss.asked[-1].args == {"last": 1000, "before": 0, "since": 0.0, "boot": False, "follow": False}
    _, out, _ = await ada.pilot("log", "compute-0-0", "--time", "none")
    assert out.splitlines() == ["boot red", "20%", "login: "]
    _, out, _ = await ada.pilot("log", "compute-0-0")
    assert out.startswith(time.strftime("%Y-%m-%d %H:%M:%S.250 boot", time.localtime(AT)))


async def test_time_since_boot_counts_from_airbosss_line(ada: User, airboss: StandIn) -> None:
    mark = b"\x1b[2m[pilot 2026-11-22T17:20:31Z compute-0-0: turned on]\x1b[m\r\n"
    airboss.log = [page(b"before\n", mark, b"after\n")]
    _, out, _ = await ada.pilot("log", "compute-0-0", "--time", "since-boot", "--boot")
    assert [line[:15] for line in out.splitlines()] == [
        "[            ] ",
        "[       0.000] ",
        "[       0.500] ",
    ]
    assert airboss.asked[-1].args["boot"] is True
    assert airboss.asked[-1].args["last"] == 1_000_000


async def test_parts_of_a_line_are_put_together_and_gaps_are_said(ada: User, airboss: StandIn) -> None:
    airboss.log = [
        page(b"a long", b" line\n", at=10, gap=True, more=True),
        page(b"later\n", at=1000, gap=True),
    ]
    code, out, err = await ada.pilot("log", "compute-0-0", "--time", "none")
    assert (code, out) == (0, "a long line\nlater\n")
    assert "what it printed before is not kept any more" in err
    assert "some of what it printed here was not kept" in err


async def test_json_and_raw(ada: User, airboss: StandIn) -> None:
    airboss.log = [page(b"\x1b[1mone\x1b[m\r\n", b"tw", gap=True, at=5)]
    _, out, _ = await ada.pilot("log", "compute-0-0", "--json")
    first, second = (json.loads(line) for line in out.splitlines())
    assert first == {"offset": 5, "time": AT, "mono": 100.0, "text": "one", "ended": True, "gap": True}
    assert (second["text"], second["ended"], second["gap"]) == ("tw", False, False)
    _, out, _ = await ada.pilot("log", "compute-0-0", "--raw")
    assert out == "\x1b[1mone\x1b[m\r\ntw"
    code, _, err = await ada.pilot("log", "compute-0-0", "--raw", "--json")
    assert code == Exit.USAGE
    assert "exclude each other" in err


async def test_since_is_by_airbosss_clock(ada: User, airboss: StandIn) -> None:
    code, out, err = await ada.pilot("log", "compute-0-0", "--since", "10m")
    assert (code, out) == (0, "")
    assert "Nothing is kept" in err
    since = airboss.asked[-1].args["since"]
    assert isinstance(since, float)
    assert abs(airboss.hello_frame().time - 600 - since) < 60
    code, _, err = await ada.pilot("log", "compute-0-0", "--since", "yesteryear")
    assert code == Exit.USAGE
    assert "is no moment" in err


async def test_it_follows_through_a_loss_and_tells_nothing_twice(ada: User, airboss: StandIn) -> None:
    asked = 0

    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            channel.send(wire.Reply(), page(b"one\n", b"tw"))
            airboss.connections[-1].abort()
        else:
            assert body.args["since"] == AT + 0.5
            channel.send(wire.Reply(), page(b"one\n", b"two\n", b"three\n"), wire.LogPage())
            await channel.closed.wait()

    airboss.on_request = request
    process = await ada.start("log", "compute-0-0", "--follow", "--time", "none")
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(60):
        while b"three\n" not in seen:
            chunk = await process.stdout.read(100)
            assert chunk, seen
            seen += chunk
    process.terminate()
    await process.wait()
    assert seen == b"one\ntw\no\nthree\n"


async def test_it_follows_though_an_airboss_that_restarts_does_not_know_the_node_yet(
    ada: User, airboss: StandIn
) -> None:
    asked = 0

    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            channel.send(wire.Reply(), page(b"one\n"))
            airboss.connections[-1].abort()
        elif asked == 2:
            channel.send(wire.Reply(fault=wire.Fault("node", "it is not a node, or not yours", "")))
        else:
            channel.send(wire.Reply(), page(b"one\n", b"two\n"))
            await channel.closed.wait()

    airboss.on_request = request
    process = await ada.start("log", "compute-0-0", "--follow", "--time", "none")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"one\n"
        assert await process.stdout.readline() == b"two\n"
    process.terminate()
    await process.wait()
    assert asked == 3


async def test_a_node_that_never_was_there_is_not_awaited(ada: User, airboss: StandIn) -> None:
    async def refuse(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(wire.Reply(fault=wire.Fault("node", "it is not a node, or not yours", "")))

    airboss.on_request = refuse
    code, out, err = await ada.pilot("log", "nobody", "--follow")
    assert (code, out) == (Exit.REFUSED, "")
    assert "not yours" in err


async def test_a_refusal_is_said(ada: User, airboss: StandIn) -> None:
    async def refuse(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(
            wire.Reply(fault=wire.Fault("refused", "this site does not log what consoles print", ""))
        )

    airboss.on_request = refuse
    code, out, err = await ada.pilot("log", "compute-0-0")
    assert (code, out) == (Exit.REFUSED, "")
    assert "does not log" in err


async def test_waiting_for_what_is_printed(ada: User, airboss: StandIn) -> None:
    airboss.prints = [b"\x1b[1mBoot", b"ing\x1b[m Linux 6.1.0\r\n", b"compute-0-0 login: "]
    code, out, err = await ada.pilot(
        "console", "compute-0-0", "--wait-for", r"linux (\d+)", "--wait-for", "login: *$"
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == ["Booting Linux 6.1.0", "compute-0-0 login: "]
    assert airboss.asked[-1].args["mode"] == "watch"
    code, out, _ = await ada.pilot("console", "compute-0-0", "--json", "--wait-for", r"Linux (\d+)\.(\d+)")
    (step,) = json.loads(out)["steps"]
    assert (step["match"], step["groups"]) == ("Linux 6.1", ["6", "1"])


async def test_what_does_not_come_has_an_exit_code_of_its_own(ada: User, airboss: StandIn) -> None:
    airboss.prints = [b"Kernel panic\r\nnot syncing\r\n"]
    words = ["--wait-for", "panic", "--wait-for", "login:", "--timeout", "5"]
    code, out, err = await ada.pilot("console", "compute-0-0", *words)
    assert (code, out) == (Exit.UNSEEN, "Kernel panic\n")
    assert "'login:' was not seen within 5 s" in err
    assert "  not syncing" in err
    words = ["--wait-for", "login:", "--timeout", "0.2", "--json"]
    code, out, err = await ada.pilot("console", "compute-0-0", *words)
    told = json.loads(out)
    assert code == Exit.UNSEEN
    assert (told["matched"], told["waiting_for"], told["steps"]) == (False, "login:", [])
    assert "not syncing" not in err


async def test_typing_and_waiting_in_turn(ada: User, airboss: StandIn) -> None:
    airboss.prints = [b"login: "]
    words = ("--wait-for", "login:", "--send", r"root\r\n", "--wait-for", "root$", "--send", r"\x41\\\n")
    code, out, err = await ada.pilot("console", "compute-0-0", *words, "--wait-for", r"A\\")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("login: ")
    assert airboss.asked[-1].args["mode"] == "write"
    code, _, _ = await ada.pilot("console", "compute-0-0", "--send", r"\q")
    assert code == Exit.USAGE


async def test_since_boot_looks_at_the_log(ada: User, airboss: StandIn) -> None:
    airboss.log = [page(b"Kernel panic - not syncing\r\n")]
    code, out, _ = await ada.pilot("console", "compute-0-0", "--since-boot", "--wait-for", "panic")
    assert (code, out) == (0, "Kernel panic - not syncing\n")
    assert [body.verb for body in airboss.asked] == ["console.log"]
    assert airboss.asked[-1].args["follow"] is True
    code, _, _ = await ada.pilot("console", "compute-0-0", "--since-boot")
    assert code == Exit.USAGE


async def test_somebody_else_types(ada: User, airboss: StandIn) -> None:
    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        reply = airboss.signed(request, (wire.Outcome("compute-0-0", "done"),))
        channel.send(reply, wire.Attached("x", "compute-0-0", False, 0, "bob"))
        await channel.closed.wait()

    airboss.on_request = request
    code, _, err = await ada.pilot("console", "compute-0-0", "--send", "x")
    assert code == Exit.REFUSED
    assert "bob types at compute-0-0" in err


async def test_a_script_goes_on_after_losses_with_what_was_printed_meanwhile(
    ada: User, airboss: StandIn
) -> None:
    typed, asked = b"", list[dict[str, object]]()
    before, first, meanwhile = b"old login: \r\n" * 9, b"Booting Linux\r\nand its services\r\n", b"panic\r\n"

    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        nonlocal typed
        asked.append(dict(body.args))
        if len(asked) == 2:
            channel.send(wire.Reply(fault=wire.Fault("node", "it is not a node, or not yours", "")))
            return
        replayed = before if len(asked) == 1 else before + first + meanwhile
        reply = airboss.signed(request, (wire.Outcome("compute-0-0", "done"),))
        channel.send(reply, wire.Attached("x", "compute-0-0", True, len(replayed)), wire.Output(replayed))
        if len(asked) == 1:
            channel.send(wire.Output(first))
            airboss.connections[-1].abort()
            return
        while not typed.endswith(b"\r"):
            frame = await channel.frames.get()
            assert isinstance(frame, wire.Input)
            typed += frame.data
        if len(asked) == 3:
            channel.send(wire.Notice("closed", "airboss stops", final=True))
        else:
            channel.send(wire.Output(b"login: "))
            await channel.closed.wait()

    airboss.on_request = request
    code, out, err = await ada.pilot(
        *("console", "compute-0-0", "--take", "--wait-for", "linux", "--wait-for", "panic"),
        *("--send", r"x\r", "--wait-for", "login:"),
    )
    assert (code, typed) == (0, b"x\r"), err
    assert out.splitlines() == ["Booting Linux", "panic", "login: "], "what was before is not looked at"
    assert err.count("trying again") == 2
    assert [args["mode"] for args in asked] == ["take", "write", "write", "write"]
    assert [args["replay"] for args in asked] == [0, *[1024 * 1024] * 3]


async def test_a_script_that_reads_the_log_goes_on_where_it_was(ada: User, airboss: StandIn) -> None:
    asked = 0

    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            channel.send(wire.Reply(), page(b"one\n", b"tw"))
            airboss.connections[-1].abort()
        else:
            channel.send(wire.Reply(), page(b"one\n", b"two\n", b"three\n"), wire.LogPage())
            await channel.closed.wait()

    airboss.on_request = request
    words = ("--since-boot", "--wait-for", "one", "--wait-for", "^two$", "--wait-for", "three")
    code, out, err = await ada.pilot("console", "compute-0-0", *words)
    assert (code, out) == (0, "one\ntwo\nthree\n"), err


async def test_a_loss_that_lasts_ends_with_the_deadline_and_a_refusal_at_once(
    ada: User, airboss: StandIn
) -> None:
    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        reply = airboss.signed(request, (wire.Outcome("compute-0-0", "done"),))
        channel.send(reply, wire.Attached("x", "compute-0-0", True, 0))
        airboss.on_request = refuse
        airboss.connections[-1].abort()

    async def refuse(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        channel.send(wire.Reply(fault=wire.Fault("refused", "your key is not entitled", "")))

    airboss.on_request = request
    code, _, err = await ada.pilot("console", "compute-0-0", "--wait-for", "login:")
    assert code == Exit.REFUSED, err

    async def stop(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        reply = airboss.signed(request, (wire.Outcome("compute-0-0", "done"),))
        channel.send(reply, wire.Attached("x", "compute-0-0", True, 0), wire.Output(b"so far\r\n"))
        airboss.on_request = vanish
        airboss.connections[-1].abort()

    async def vanish(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        airboss.connections[-1].abort()

    airboss.on_request = stop
    code, _, err = await ada.pilot("console", "compute-0-0", "--wait-for", "login:", "--timeout", "5")
    assert code == Exit.UNSEEN, err
    assert "so far" in err


async def test_each_step_looks_behind_what_the_one_before_has_found() -> None:
    seen = Seen()
    word = compile_pattern("one")
    seen.feed(b"one one\r\nnothing\r\non")
    assert [await seen.find(word) is not None for _ in range(3)] == [True, True, False]
    seen.feed(b"e")
    found = await seen.find(word)
    assert found is not None
    assert found[0] == "one"
    seen.feed(b" and one\r\n")
    assert await seen.find(word) is not None
    assert await seen.find(word) is None


async def test_patterns_and_lines_that_take_long_leave_the_deadline_its_turn() -> None:
    with pytest.raises(UsageError):
        compile_pattern("(a+)+$")
    seen = Seen()
    seen.feed(b"a" * 1_000_000)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await seen.find(compile_pattern("a*a*b"))
    assert time.monotonic() - begun < 20
    seen = Seen()
    seen.feed(b"xy" + b"a" * 3000 + b"the end")
    assert await seen.find(compile_pattern(".*the e.*d")) is not None


def test_escapes() -> None:
    assert unescaped(r"a\r\n\t\e\\\x03") == "a\r\n\t\x1b\\\x03"
    for wrong in ("\\q", "\\", "\\x4"):
        with pytest.raises(UsageError):
            unescaped(wrong)
