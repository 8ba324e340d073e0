"""`pilot` as people run it, on real VMs: two owners, a console from the first byte, a watch."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import pytest

from pilot.errors import Exit
from tests.e2e.conftest import MakeSite
from tests.support.airboss import Person
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


async def start(person: Person, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.cli", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**person.environment, "LANG": "C.UTF-8"},
    )


async def pilot(person: Person, *words: str, stdin: bytes = b"", seconds: float = 90) -> tuple[int, str, str]:
    """Run `pilot WORDS` as a person: exit code, stdout, stderr."""
    process = await start(person, *words)
    async with asyncio.timeout(seconds):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


async def test_a_day_with_pilot(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> None:
    site = await make_site(2)
    vms = [*nodes(site.hosts[0], "vc1", 1), *nodes(site.hosts[1], "vc1", 1, first=1)]
    nodes(site.hosts[1], "vc2", 1, first=7)
    address = f"127.0.0.1:{site.airboss.port}"
    for person in (site.ada, site.bob):
        code, out, err = await pilot(person, "login", address, "--accept-new", "--key", str(person.key))
        assert code == 0, err
        assert f"owner of cluster {'vc1' if person is site.ada else 'vc2'}" in out

    async def listed(person: Person) -> list[str]:
        code, out, err = await pilot(person, "nodes", "--json")
        assert code == 0, err
        return [node["name"] for node in json.loads(out)]

    async def all_there() -> bool:
        return await listed(site.ada) == ["compute-0-0", "compute-0-1"]

    await until(all_there, 60, "ada's nodes are known")
    assert await listed(site.bob) == ["compute-0-7"]
    code, _, err = await pilot(site.bob, "power", "on", "compute-0-0")
    assert code == Exit.REFUSED

    watching = await start(site.ada, "watch", "--json")
    assert watching.stdout is not None

    async def event(**wanted: str) -> None:
        async with asyncio.timeout(60):
            while True:
                assert watching.stdout is not None
                line = json.loads(await watching.stdout.readline())
                record = line.get("record", {})
                if all(record.get(key) == value for key, value in wanted.items()):
                    return

    # From the first byte the firmware prints to a command typed and its answer.
    typed = await start(site.ada, "power", "on", "compute-0-0", "--console")
    assert typed.stdin is not None
    assert typed.stdout is not None

    async def expect(text: bytes) -> bytes:
        assert typed.stdout is not None
        async with asyncio.timeout(90):
            return await typed.stdout.readuntil(text)

    assert b"SeaBIOS" in await expect(b"login: ")
    await event(name="compute-0-0", state="on")
    typed.stdin.write(b"root\n")
    await expect(b"Password: ")
    typed.stdin.write(b"pilot\n")
    await expect(b"# ")
    typed.stdin.write(b"echo $((6*7))\n")
    await expect(b"\n42")
    typed.stdin.close()
    async with asyncio.timeout(60):
        await typed.stdout.read()
        assert await typed.wait() == 0

    # A change made by others, and a power verb that is waited for.
    await asyncio.to_thread(vms[1].start)
    await event(name="compute-0-1", state="on")
    code, out, err = await pilot(site.ada, "power", "off", "@all", "--yes", "--wait", "--json")
    assert code == 0, err
    assert {o["result"] for o in json.loads(out)["outcomes"]} == {"done"}
    await event(name="compute-0-0", state="off")
    watching.send_signal(2)
    async with asyncio.timeout(30):
        await watching.communicate()
    await site.airboss.admin("journal", "verify")
