"""A right that ends, ends its live consoles in seconds and says why; so do time limits. On a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncssh
import pytest

from keys.identity import identities
from keys.signers import SignerLine
from pilot import wire
from pilot.client_config import Site as SiteConfig
from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import Reading, nodes_of
from tests.support.airboss import Person, no_passphrase
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

SECONDS = 5.0
"""In which a console has to end. A test waits for longer: the machine may be busy with others."""
DEADLINE = 40.0
VALID = 20.0
"""Seconds for which keys and certificates are valid that expire in the test."""


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]], tmp_path: Path) -> Site:
    """An airboss with a node that is off: its console can be opened all the same."""
    (tmp_path / "revoked").write_text("")
    site = await make_site(
        1, f'[signers]\nrevoked = "{tmp_path / "revoked"}"\n[consoles]\nidle_operator = 6\nmax_viewer = 6'
    )
    site.vms = nodes(site.hosts[0], "vc1", 1)
    return site


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def at_console(stack: AsyncExitStack, link: Link, mode: str = "write") -> Reading:
    """Somebody at the node's console, as soon as airboss knows the node."""
    await stack.enter_async_context(link)

    async def known() -> bool:
        return bool(await nodes_of(link))

    await until(known, DEADLINE, "the node is known")
    reading = Reading(await link.console("compute-0-0", "vc1", mode))
    stack.push_async_callback(reading.close)
    await reading.expect_notice("compute-0-0 is off")
    return reading


async def last_word(reading: Reading) -> wire.Notice:
    return await until(
        lambda: next((notice for notice in reading.notices if notice.final), None), DEADLINE, "a last word"
    )


async def certified(site: Site, end: int) -> Link:
    """A link with a certificate that is valid until then, by an authority that airboss knows."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    line = SignerLine(principals=("carol",), key_blob=authority.public_data, cert_authority=True)
    site.airboss.editor.add_signers("vc1", "owner", [line])
    carol = Person(site.airboss.folder, "carol", site.airboss)
    certificate = authority.generate_user_certificate(
        asyncssh.read_private_key(str(carol.key)), "carol", principals=["carol"], valid_before=end
    )
    (carol.folder / "id_ed25519-cert.pub").write_bytes(certificate.export_certificate())
    found = await identities([carol.key], False, no_passphrase)
    where = SiteConfig("test", "127.0.0.1", site.airboss.port)

    async def linked() -> Link | None:
        try:
            return await Link.connect(where, found, carol.known_hosts)
        except Exception:
            return None

    return await until(linked, VALID - 1, "airboss knows the authority")


async def test_a_right_that_ends_ends_its_consoles_with_the_reason(
    site: Site, stack: AsyncExitStack, tmp_path: Path
) -> None:
    people = {name: await site.airboss.person(name, "vc1") for name in ("removed", "revoked", "stays")}
    stays = await at_console(stack, await people["stays"].link())
    readings = {
        name: await at_console(stack, await people[name].link(), "join") for name in ("removed", "revoked")
    }
    assert stays.stream.people is not None

    end = int(time.time() + VALID)
    expires = await site.airboss.person("expired")
    line = SignerLine(principals=("expired",), key_blob=expires.key_blob, valid_before=end)
    site.airboss.editor.add_signers("vc1", "owner", [line])
    await until(lambda: _links(expires), VALID - 1, "airboss knows the key")
    readings["expired"] = await at_console(stack, await expires.link(), "join")
    readings["carol"] = await at_console(stack, await certified(site, end), "join")

    async def removed() -> float:
        await site.airboss.admin("key", "remove", "vc1", people["removed"].fingerprint)
        return time.time()

    async def revoked() -> float:
        (tmp_path / "revoked").write_bytes(people["revoked"].public.read_bytes())
        return time.time()

    async def expired() -> float:
        return float(end)

    ways: dict[str, Callable[[], Awaitable[float]]] = {
        "removed": removed,
        "revoked": revoked,
        "expired": expired,
        "carol": expired,
    }
    for name, way in ways.items():
        ended = await way()
        notice = await last_word(readings[name])
        took = time.time() - ended
        print(f"{name}: {took:.2f} s")
        assert notice.what == "closed"
        assert notice.writing is False
        assert "your key is not entitled to vc1 any more" in notice.text
        await stays.expect_notice(f"{name} has left", DEADLINE)
        assert took < 4 * SECONDS, f"{name} was at the console for {took:.1f} s without a right"
    assert stays.stream.writing
    stays.stream.chat("still here")
    await stays.expect_notice("stays: still here")


async def _links(person: Person) -> bool:
    try:
        await (await person.link()).close()
    except Exception:
        return False
    return True


async def test_time_limits_end_consoles_of_stock_ssh_and_pilot(site: Site, stack: AsyncExitStack) -> None:
    vera = await site.airboss.person("vera", "vc1", "viewer")
    otto = await site.airboss.person("otto", "vc1", "operator")
    watching = await at_console(stack, await vera.link())
    connection = await stack.enter_async_context(
        asyncssh.connect(
            "127.0.0.1",
            site.airboss.port,
            known_hosts=None,
            config=None,
            agent_path=None,
            client_keys=[str(otto.key)],
        )
    )
    process = await stack.enter_async_context(
        connection.create_process("console compute-0-0", term_type="xterm", encoding=None)
    )
    shown = b""

    async def shows(text: str) -> None:
        nonlocal shown
        async with asyncio.timeout(DEADLINE):
            while text.encode() not in shown:
                data = await process.stdout.read(4096)
                assert data, f"no {text!r} in {shown!r}"
                shown += data

    await shows("compute-0-0: you write; Ctrl+] leaves, Ctrl+^ ? tells more")
    process.stdin.write(b"\x1ew\x1eshello all\r")
    await shows("otto (you) types")
    await shows("[pilot: otto: hello all]")
    warning = await watching.expect_notice("^this console ends in 2 s: 6 s at a time is", DEADLINE)
    assert warning.what == "limit"
    assert (await last_word(watching)).text.startswith("you were here for 6 s, the site's limit for the role")
    await shows("[pilot: this console ends in 2 s unless you type: 6 s without that is")
    await shows("[pilot: you did nothing here for 6 s, the site's limit for the role operator; open")
    await shows("left compute-0-0")
    async with asyncio.timeout(DEADLINE):
        await process.wait_closed()
    assert process.exit_status == 0
