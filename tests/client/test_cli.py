"""`pilot` as it is run: a real process against the stand-in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
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
    assert nodes[0]["nics"] == [{"mac": "52:54:00:00:00:00", "network": "", "vlan": 144, "model": ""}]
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
    assert airboss.asked[-1].args == {"grace": 7.0, "then": "off"}
    code, _, err = await ada.pilot("power", "shutdown", "compute-0-0", "--grace", "0", "--yes")
    assert code == Exit.USAGE
    assert "from 1 to 3600" in err


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


async def test_first_contact_needs_a_person_or_the_option(user: User, airboss: StandIn) -> None:
    address = f"127.0.0.1:{airboss.port}"
    code, _, err = await user.pilot("login", address)
    assert code == Exit.IDENTITY
    assert airboss.fingerprint in err
    assert "--accept-new" in err
    code, out, _ = await user.pilot("login", address, "--accept-new", "--name", "here", "--cluster", "vc1")
    assert code == 0
    assert "ada" in out
    assert "owner of cluster vc1" in out
    assert (await user.pilot("nodes"))[0] == 0
    assert airboss.asked[-1].cluster == "vc1"
    code, out, _ = await user.pilot("sites", "--json")
    assert json.loads(out)[0]["name"] == "here"
    assert oct((user.config / "sites.toml").stat().st_mode)[-3:] == "600"
    code, _, err = await user.pilot("sites", "--forget", "here")
    assert code == 0
    assert (await user.pilot("nodes"))[0] == Exit.USAGE
    assert (user.config / "known_hosts").read_text() == ""


async def test_a_site_may_be_named_by_its_address_without_login(user: User, airboss: StandIn) -> None:
    code, out, _ = await user.pilot("nodes", "--json", "--site", f"127.0.0.1:{airboss.port}", "--accept-new")
    assert (code, len(json.loads(out))) == (0, 3)


async def test_a_changed_host_key_ends_with_five(ada: User, airboss: StandIn) -> None:
    other = StandIn()
    ada.airboss = other
    other.port = airboss.port
    ada.pin()
    code, _, err = await ada.pilot("nodes", "--accept-new")
    assert code == Exit.IDENTITY
    assert "HAS CHANGED" in err
    assert not airboss.asked


async def test_nobody_there_ends_with_four(ada: User, airboss: StandIn) -> None:
    await airboss.stop()
    code, _, err = await ada.pilot("nodes")
    assert code == Exit.UNREACHABLE
    assert "refused" in err


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


async def test_completion_knows_verbs_options_and_the_nodes_last_seen(ada: User, airboss: StandIn) -> None:
    airboss.records.append(node(4, name="no;spaces here"))
    await ada.pilot("nodes")
    asked = len(airboss.asked)

    async def offered(*words: str) -> list[str]:
        code, out, _ = await ada.pilot("__complete", *words)
        assert code == 0
        return [line.split("\t")[0] for line in out.splitlines()]

    assert await offered("po") == ["power"]
    assert await offered("power", "sh") == ["shutdown"]
    assert await offered("power", "on", "") == ["compute-0-0", "compute-0-1", "compute-0-2", "@all"]
    assert await offered("power", "on", "compute-0-0", "comp") == ["compute-0-1", "compute-0-2"]
    assert await offered("power", "shutdown", "--then", "") == ["leave", "off"]
    assert await offered("power", "shutdown", "--then=o") == ["--then=off"]
    assert await offered("power", "shutdown", "--then", "=", "o") == ["off"]
    assert await offered("power", "shutdown", "--then", "=") == ["leave", "off"]
    assert await offered("--json", "console", "") == ["compute-0-0", "compute-0-1", "compute-0-2"]
    assert await offered("--site", "") == ["test"]
    assert "--take" in await offered("console", "--")
    assert await offered("--key", "") == [":files"]
    assert await offered("completion", "") == ["bash", "fish", "zsh"]
    assert len(airboss.asked) == asked, "TAB does not connect"


async def test_bash_completes(ada: User) -> None:
    await ada.pilot("nodes")
    _, script, _ = await ada.pilot("completion", "bash")
    script += (
        f'pilot() {{ {sys.executable} -m pilot.cli "$@"; }}\n'
        'COMP_WORDS=(pilot power on compute-0-); COMP_CWORD=3; _pilot; echo "${COMPREPLY[*]}"\n'
    )
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", script],
        env=ada.environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.decode().split() == ["compute-0-0", "compute-0-1", "compute-0-2"], done.stderr


async def test_keys_are_made_and_listed(user: User) -> None:
    code, out, err = await user.pilot("keys", "create", "--file", str(user.folder / "k"), "--no-passphrase")
    assert code == 0
    assert out.startswith("ssh-ed25519 ")
    assert out == (user.folder / "k.pub").read_text()
    assert "pilot-agent key add" in err
    assert (await user.pilot("keys", "create", "--file", str(user.folder / "k"), "--no-passphrase"))[0] == 5
    code, out, _ = await user.pilot("keys", "list", "--json")
    assert [key["comment"] for key in json.loads(out)] == ["ada@test"]
    assert (await user.pilot("keys", "create"))[0] == Exit.USAGE, "nobody to ask for a passphrase"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], Exit.USAGE),
        (["frobnicate"], Exit.USAGE),
        (["power", "explode", "x"], Exit.USAGE),
        (["power", "on"], Exit.USAGE),
        (["nodes", "--timeout", "-1"], Exit.USAGE),
        (["nodes", "--site", "no such place"], Exit.USAGE),
        (["--version"], Exit.OK),
        (["power", "--help"], Exit.OK),
    ],
)
async def test_wrong_words(user: User, words: list[str], code: Exit) -> None:
    assert (await user.pilot(*words))[0] == code


async def test_a_wrong_sites_file_names_line_and_key(ada: User) -> None:
    (ada.config / "sites.toml").write_text('[[site]]\nname = "x"\nhost = "h"\nprot = 1\n')
    code, _, err = await ada.pilot("nodes")
    assert code == Exit.USAGE
    assert "line 4" in err
    assert "prot" in err


def _imported(words: list[str], environment: dict[str, str]) -> set[str]:
    script = (
        "import sys, runpy, atexit\n"
        "atexit.register(lambda: sys.stderr.write('MODULES ' + ' '.join(sys.modules)))\n"
        f"sys.argv = ['pilot', *{words!r}]\n"
        "runpy.run_module('pilot.cli', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, timeout=60, check=False
    )
    return set(done.stderr.decode().rsplit("MODULES ", 1)[1].split())


async def test_what_is_heavy_is_not_imported(ada: User) -> None:
    never = {"textual", "rich", "libvirt", "sqlalchemy", "alembic"}
    listed = await asyncio.to_thread(_imported, ["nodes"], ada.environment)
    assert "asyncssh" in listed
    assert not never & listed
    for words in (["power", "--help"], ["__complete", "power", "on", ""]):
        modules = await asyncio.to_thread(_imported, words, ada.environment)
        assert not (never | {"asyncssh", "cryptography"}) & modules
        assert not any(name.startswith(("pilot.agent", "pilot.backends")) for name in modules)


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
