"""The log of a real node's console: over a boot, a kill -9 of airboss, a power-off, and to new owners."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import pytest

from pilot.backends.libvirt.domain_xml import Membership
from pilot.backends.libvirt.membership import set_membership
from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import Reading, act, nodes_of
from tests.support.airboss import Person
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NODE = "compute-0-0"


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 1)
    return site


async def text(link: Link, cluster: str = "vc1", **args: bool) -> bytes:
    """What the log has."""
    parts = [line.data async for page in link.log(NODE, cluster, **args) for line in page.lines]
    return b"".join(parts)


async def known(person: Person, cluster: str = "vc1") -> Link:
    """A link once the node is known."""
    link = await person.link()

    async def there() -> bool:
        return any(node.cluster == cluster for node in (await nodes_of(link, cluster)).values())

    await until(there, 60, "the node is known")
    return link


async def test_nothing_is_forgotten_and_nothing_leaks(site: Site) -> None:
    ada = await known(site.ada)
    await act(ada, "on", NODE)

    async def up() -> bool:
        return b"login: " in await text(ada)

    await until(up, 60, "it has booted", every=0.3)
    before = await text(ada)
    await ada.close()
    await site.airboss.kill()
    await site.airboss.start()

    ada = await known(site.ada)

    async def held() -> bool:
        return b"console held again; airboss was not there from" in await text(ada)

    await until(held, 60, "it is held again", every=0.3)
    whole = await text(ada)
    # kill -9 takes with it what was printed in the last tenth of a second at most, and that was long ago.
    assert whole.startswith(before)
    console = await ada.console(NODE, "vc1")
    assert console.attached.start == console.attached.oldest == 0
    assert console.attached.replay == len(whole)
    console.type(b"root\r")

    async def echoed() -> bool:
        return b"Password: " in await text(ada)

    await until(echoed, 60, "it answers", every=0.3)
    console.close()
    await act(ada, "off", NODE)

    async def ended() -> bool:
        return b": turned off]" in await text(ada)

    await until(ended, 60, "its end is told", every=0.3)
    boot = await text(ada, boot=True)
    assert boot.startswith(b"\x1b[2m[pilot ")
    assert b": turned on]" in boot.splitlines()[0]
    assert b"Linux version" in boot, "what it said before it was turned off"
    folder = next((site.airboss.state / "consoles").glob("*-*"))
    assert folder.stat().st_mode & 0o077 == 0

    set_membership(site.vms[0].domain, Membership("vc2", NODE, "compute"))
    bob = await known(site.bob, "vc2")
    assert b"Linux" not in await text(bob, "vc2")
    await until(lambda: not (folder / "000001").exists(), 60, "it is deleted")
    await bob.close()
    await ada.close()


async def test_a_script_waits_types_and_reads(site: Site) -> None:
    ada = site.ada
    (ada.folder / "config").mkdir(mode=0o700)
    common = ("--site", f"127.0.0.1:{site.airboss.port}", "--key", str(ada.key), "--accept-new")

    async def start(*words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pilot.cli", words[0], *common, *words[1:]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=ada.environment,
        )

    async def pilot(*words: str) -> tuple[int, str]:
        process = await start(*words)
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        return process.returncode or 0, out.decode()

    await (await known(ada)).close()
    assert (await pilot("power", "on", NODE))[0] == 0
    code, out = await pilot(
        *("console", NODE, "--since-boot", "--timeout", "90", "--wait-for", "login: ", "--send", r"root\r"),
        *(
            "--wait-for",
            "Password",
            "--send",
            r"pilot\r",
            "--wait-for",
            r"[#$] $",
            "--send",
            r"expr 6 \\* 7\r",
        ),
        *("--wait-for", "^42$"),
    )
    assert code == 0, out
    assert out.splitlines()[-1] == "42"
    # It goes on after airboss was killed in the middle.
    waits = await start(
        *("console", NODE, "--timeout", "100", "--send", r"echo be$((1+1))gun\r"),
        *("--wait-for", "be2gun", "--wait-for", "^ov3er$"),
    )
    assert waits.stdout is not None
    async with asyncio.timeout(60):
        assert b"be2gun" in await waits.stdout.readline()
    await site.airboss.kill()
    await site.airboss.start()
    async with await known(ada) as link:
        reading = Reading(await link.console(NODE, "vc1", "join"))
        await reading.expect(b"console held again")
        reading.stream.type(b"echo ov$((1+2))er\r")
        async with asyncio.timeout(100):
            rest, said = await waits.communicate()
        await reading.close()
    assert (waits.returncode, rest) == (0, b"ov3er\n"), said
    assert b"trying again" in said
    code, out = await pilot("log", NODE, "--boot", "--json", "--last", "12")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert "42" in [line["text"] for line in lines]
    code, out = await pilot("log", NODE, "--time", "since-boot", "--boot")
    assert "turned on" in out.splitlines()[0]
    assert "[       0.000]" in out.splitlines()[0]
