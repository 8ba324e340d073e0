"""`pilot` as it is run: a real process against the stand-in."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from pilot import wire
from pilot.errors import Exit
from pilot.records import Grant
from tests.client.stand_in import NOW, Channel, StandIn, User, node


@pytest.fixture
def ada(user: User) -> User:
    """A user who knows the site."""
    user.pin()
    return user


async def test_nodes_as_json_is_one_array_with_every_field(ada: User) -> None:
    code, out, err = await ada.pilot("nodes", "--json")
    assert (code, err) == (0, "")
    nodes = json.loads(out)
    assert [n["name"] for n in nodes] == ["compute-0-0", "compute-0-1", "compute-0-2"]
    assert nodes[0]["nics"] == [
        {"mac": "52:54:00:00:00:00", "network": "", "vlan": 144, "model": "", "kind": "", "link": True}
    ]
    assert (nodes[0]["provider"], nodes[0]["lease"]) == ("libvirt", None)
    assert nodes[0]["hung_ms"] is None


async def test_nodes_as_a_table(ada: User, airboss: StandIn) -> None:
    airboss.records = [
        node(10, state="on", since=time.time() - 200_000),
        node(9, name="evil\x1b]0;owned\x07", state="crashed"),
        node(2, state="on", hung_ms=14_000),
        node(1, state="on", stale_since=time.time() - 180),
    ]
    code, out, err = await ada.pilot("nodes")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[0].split()[:4] == ["NODE", "STATE", "SINCE", "HOST"]
    assert [line.split()[0] for line in lines[1:4]] == ["compute-0-1", "compute-0-2", "compute-0-10"]
    assert "? on, 3 min ago" in lines[1]
    assert "▲ hung 14 s" in lines[2]
    assert "● on" in lines[3]
    assert "2 d" in lines[3]
    assert "✕ crashed" in lines[4]


async def test_an_unknown_node_is_said_on_stderr(ada: User) -> None:
    code, out, err = await ada.pilot("nodes", "compute-0-1", "nope", "--json")
    assert (code, len(json.loads(out))) == (Exit.FAILED, 1)
    assert "nope" in err
    code, out, _ = await ada.pilot("nodes", "nope", "--json")
    assert (code, json.loads(out)) == (Exit.REFUSED, [])


async def test_power_tells_outcomes_and_keeps_the_receipt(ada: User) -> None:
    code, out, err = await ada.pilot("power", "on", "compute-0-0", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["verb"] == "power.on"
    assert [(o["target"], o["result"]) for o in told["outcomes"]] == [("compute-0-0", "done")]
    assert told["receipt"]["body"]["journal_id"] == 7
    assert (ada.config / "state" / "receipts.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("results", "code"),
    [
        (["done", "done"], Exit.OK),
        (["done", "failed"], Exit.FAILED),
        (["done", "refused"], Exit.FAILED),
        (["refused", "refused"], Exit.REFUSED),
        (["failed", "refused"], Exit.FAILED),
        (["done", "unknown", "failed"], Exit.UNKNOWN),
    ],
)
async def test_exit_codes_of_power(
    ada: User, airboss: StandIn, results: list[wire.Result], code: Exit
) -> None:
    outcomes = tuple(wire.Outcome(f"n{i}", result) for i, result in enumerate(results))

    async def end(channel: Channel, request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(airboss.signed(request, outcomes))

    airboss.on_request = end
    assert (await ada.pilot("power", "on", "@all"))[0] == code


async def test_arguments_of_verbs_are_those_of_the_table(ada: User, airboss: StandIn) -> None:
    await ada.pilot("power", "shutdown", "compute-0-0", "--grace", "7", "--then", "off", "--yes")
    given = {"grace": 7.0, "then": "off", "drain": False, "anyway": False}
    assert airboss.asked[-1].args == given
    code, _, err = await ada.pilot("power", "shutdown", "compute-0-0", "--grace", "0", "--yes")
    assert code == Exit.USAGE
    assert "from 1 to 3600" in err


async def test_what_is_sent_is_asked_as_power_is(ada: User, airboss: StandIn) -> None:
    code, out, err = await ada.pilot("send", "break", "compute-0-0", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["verb"] == "send.break"
    words = ("send", "sysrq", "compute-0-0", "--letter", "t", "--by", "serial")
    code, _, err = await ada.pilot(*words)
    assert code == Exit.USAGE
    assert "--yes" in err
    assert (await ada.pilot(*words, "--yes"))[0] == 0
    assert (airboss.asked[-1].verb, airboss.asked[-1].args) == ("send.sysrq", {"letter": "t", "by": "serial"})
    assert (await ada.pilot("send", "ctrl-alt-del", "@all", "-y"))[0] == 0
    assert (airboss.asked[-1].verb, airboss.asked[-1].targets) == ("send.cad", ("@all",))
    assert (await ada.pilot("send", "keys", "compute-0-0", "--keys", "ctrl+alt+f2"))[0] == 0
    assert airboss.asked[-1].args == {"keys": "ctrl+alt+f2"}
    assert (await ada.pilot("send", "sysrq", "compute-0-0", "--letter", "Z", "-y"))[0] == Exit.USAGE


async def test_danger_is_not_done_unasked(ada: User, airboss: StandIn) -> None:
    code, _, err = await ada.pilot("power", "off", "compute-0-0")
    assert code == Exit.USAGE
    assert "--yes" in err
    assert not airboss.asked


async def test_wait_is_until_the_inventory_says_so(ada: User, airboss: StandIn) -> None:
    async def later(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb != "watch":
            await airboss.answer(channel, request, body)
            return
        channel.send(wire.Reply(), wire.Snapshot(1, tuple(airboss.records), True, True))
        channel.send(wire.Delta(2, (node(0, state="on"),)), wire.Delta(3, (node(1, state="on"),)))
        await channel.closed.wait()

    airboss.on_request = later
    code, out, _ = await ada.pilot("power", "on", "compute-0-0", "compute-0-1", "--wait")
    assert code == 0, out
    code, _, err = await ada.pilot("power", "on", "compute-0-2", "--wait", "--timeout", "0.5")
    assert code == Exit.UNKNOWN
    assert "compute-0-2" in err


async def test_progress_after_a_second(ada: User, airboss: StandIn) -> None:
    async def slow(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        channel.send(wire.Progress("compute-0-0", "waiting for the guest", 0.1))
        await asyncio.sleep(1.5)
        await airboss.answer(channel, request, body)

    airboss.on_request = slow
    code, _, err = await ada.pilot("power", "on", "compute-0-0")
    assert code == 0
    assert "compute-0-0: waiting for the guest" in err


async def test_interrupting_says_what_becomes_of_it(ada: User, airboss: StandIn) -> None:
    reached = asyncio.Event()
    gone = asyncio.Event()

    async def hang(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        reached.set()
        try:
            await channel.closed.wait()
        finally:
            gone.set()

    airboss.on_request = hang
    process = await ada.start("power", "on", "compute-0-0")
    async with asyncio.timeout(20):
        await reached.wait()
        process.send_signal(2)
        _, err = await process.communicate()
        await gone.wait()
    assert process.returncode == Exit.INTERRUPTED
    assert b"may still happen" in err
    assert b"Traceback" not in err


async def test_watch_shows_changes_and_survives_a_restart(ada: User, airboss: StandIn) -> None:
    shown = asyncio.Event()

    async def change(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(wire.Reply(), wire.Snapshot(1, tuple(airboss.records), True, True))
        await shown.wait()
        channel.send(wire.Delta(2, (node(0, state="on"),), time=NOW))
        await channel.closed.wait()

    airboss.on_request = change
    process = await ada.start("watch", "--json")
    assert process.stdout is not None

    async def line() -> dict[str, object]:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            return dict(json.loads(await process.stdout.readline()))

    first = [await line() for _ in range(6)]
    assert [event["event"] for event in first] == ["present"] * 5 + ["ready"]
    shown.set()
    changed = await line()
    assert changed["event"] == "changed"
    assert changed["time"] == NOW
    shown.clear()
    await airboss.stop()
    assert (await line())["event"] == "lost"
    await airboss.start(airboss.port)
    assert (await line())["event"] == "back"
    back = await line()
    assert (back["event"], dict(back["record"])["state"]) == ("changed", "off")  # type: ignore[call-overload]
    assert (await line())["event"] == "ready"
    process.send_signal(2)
    async with asyncio.timeout(10):
        await process.communicate()
    assert process.returncode == Exit.INTERRUPTED


async def test_which_cluster_is_meant(ada: User, airboss: StandIn) -> None:
    airboss.grants = (Grant("vc1", "owner"), Grant("vc2", "viewer"))
    code, _, err = await ada.pilot("power", "on", "compute-0-0")
    assert code == Exit.USAGE
    assert "vc1, vc2" in err
    assert (await ada.pilot("--cluster", "vc1", "power", "on", "compute-0-0"))[0] == 0
    assert (await ada.pilot("power", "on", "compute-0-0", "--cluster", "vc1"))[0] == 0
    assert (await ada.pilot("nodes"))[0] == 0


async def test_a_console_in_a_pipe(ada: User, airboss: StandIn) -> None:
    async def guest(channel: Channel) -> None:
        channel.send(wire.Output(b"old\r\n"), wire.Output(b"login: \x1b]0;owned\x07"))
        while True:
            frame = await channel.frames.get()
            if isinstance(frame, wire.Input):
                channel.send(wire.Output(frame.data.upper()))

    airboss.console = guest  # type: ignore[method-assign]
    code, out, err = await ada.pilot("console", "compute-0-0", "--linger", "0.3", stdin=b"whoami\n")
    assert (code, err) == (0, "")
    assert out == "old\r\nlogin: WHOAMI\n"
    code, out, _ = await ada.pilot("console", "compute-0-0", "--json")
    assert json.loads(out)["writing"] is True


async def test_power_with_console_attaches_first(ada: User, airboss: StandIn) -> None:
    on = asyncio.Event()

    async def order(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        await airboss.answer(channel, request, body)
        on.set()

    async def guest(channel: Channel) -> None:
        await on.wait()
        channel.send(wire.Output(b"first byte\r\n"), wire.Notice("closed", "the end", final=True))

    airboss.on_request = order
    airboss.console = guest  # type: ignore[method-assign]
    process = await ada.start("power", "on", "compute-0-0", "--console")
    assert process.stdin is not None
    async with asyncio.timeout(20):
        out, err = b"", b""
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        process.stdin.close()
        assert await process.wait() == 0, err
    assert out.startswith(b"first byte\r\n")
    assert [body.verb for body in airboss.asked] == ["console.open", "power.on"]
    assert b"on: compute-0-0" in err


async def test_a_console_in_a_pipe_ends_in_order(ada: User, airboss: StandIn) -> None:
    left = asyncio.Event()

    async def guest(channel: Channel) -> None:
        channel.send(wire.Output(b"[pilot 2026 compute-0-0: turned on]\r\n"))
        channel.send(wire.Notice("power", "compute-0-0: turned on"), wire.Notice("joined", "bob has joined"))
        try:
            await channel.closed.wait()
        finally:
            left.set()

    airboss.console = guest  # type: ignore[method-assign]
    process = await ada.start("console", "compute-0-0", "--watch")
    assert process.stdout is not None
    async with asyncio.timeout(20):
        await process.stdout.readline()
        assert process.stderr is not None
        said = await process.stderr.readline()
        process.send_signal(15)
        _, err = await process.communicate()
        await left.wait()
    assert said == b"[pilot: bob has joined]\n", "what the console itself has said is not said twice"
    assert (process.returncode, err) == (128 + 15, b"")


async def test_an_airboss_s_words_reach_no_terminal_as_they_are(ada: User, airboss: StandIn) -> None:
    bad = "bob\x1b]0;owned\x07\x1b[2J"

    async def request(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        (target,) = airboss.nodes(body.targets)
        reply = airboss.signed(request, (wire.Outcome(target.name, "done", target.id, target.state),))
        if body.verb == "screen.open":
            attached = wire.ScreenAttached(target.id, bad, controlling=False)
            # A screen of one black pixel: a picture, by its size.
            begun = b"RFB 003.008\n\x01\x01\0\0\0\0\0\x01\0\x01" + bytes(16) + b"\0\0\0\0"
            drawn = b"\0\0\0\x01" + bytes(4) + b"\0\x01\0\x01" + bytes(8)
            channel.send(reply, attached, wire.Output(begun + drawn * 3))
        else:
            channel.send(reply, wire.Attached(target.id, bad, False, 0, writer=bad))
            channel.send(wire.Notice("chat", bad))
        await channel.closed.wait()

    airboss.on_request = request
    _, _, err = await ada.pilot("console", "compute-0-0", stdin=b"whoami\n")
    assert "types at bob" in err
    _, _, waited = await ada.pilot(
        "console", "compute-0-0", "--wait-for", "x", "--send", "x", "--timeout", "1"
    )
    _, _, picture = await ada.pilot("screen", "compute-0-0")
    assert "screen of bob" in picture
    process = await ada.start("console", "compute-0-0", "--watch")
    assert process.stderr is not None
    async with asyncio.timeout(20):
        said = await process.stderr.readline()
        process.terminate()
        await process.communicate()
    assert said.startswith(b"[pilot: bob")
    assert not {"\x1b", "\x07"} & {*err, *waited, *picture, *said.decode()}
