"""The journal from outside, on a real airboss: who sees what, and what follows."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from keys.signers import SignerLine
from pilot.agent import journal_chain as chain
from pilot.errors import RefusedError, UnreachableError
from pilot.journal import Record, entry
from pilot.link.channel import Channel
from pilot.link.link import Link
from tests.e2e.conftest import Site
from tests.e2e.journal.reading import NODE, Following, records, tamper
from tests.support.airboss import Person
from tests.support.vms import processor_seconds
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


async def test_an_owner_sees_the_own_cluster_and_nothing_of_any_other(
    site: Site, ada: Link, bob: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("power.on", "power.off"):
        await ada.call(verb, "vc1", [f"secret-{verb}"])
    await bob.call("power.reset", "vc2", ["mine"])
    with pytest.raises(RefusedError):
        await ada.call("power.on", "vc2", ["secret-refused"])

    seen = bytearray()
    real = Channel.data_received

    def taps(self: Channel, data: bytes, kind: int | None) -> None:
        seen.extend(data)
        real(self, data, kind)

    monkeypatch.setattr(Channel, "data_received", taps)
    mine = await records(bob, "vc2", last=5000)
    assert [(r.kind, r.verb, r.principal) for r in mine] == [
        ("intent", "power.reset", "bob"),
        ("outcome", "", ""),
    ]
    places = 0
    async for page in bob.journal("vc2", last=5000, follow=False, sealed=True):
        assert [record.id for record in page.records] == [record.id for record in mine]
        places += len(page.records) + len(page.sealed)
    assert places == mine[-1].id + 1  # Ada's refusal came last.
    for before in (1, 2, mine[0].id, mine[-1].id, 2**53):
        for count in (0, 1, 5000):
            for sealed in (False, True):
                found = await records(bob, "vc2", last=count, before=before, sealed=sealed)
                assert {record.id for record in found} <= {record.id for record in mine}
    for cluster in ("vc1", "", "*", "vc3", "vc2 "):
        with pytest.raises(RefusedError):
            await records(bob, cluster)
    # Nothing of hers came over the wire in any form, sealed or not, except the names of what he asked for.
    # Her name as msgpack and as JSON have it: the bare letters are hex digits, too.
    for word in (b"\xa3ada", b'"ada"', b"secret", b"cluster.add", b"key.add", b"airboss.start", b"power.on"):
        assert word not in seen, word
    assert site.ada.fingerprint.encode() not in seen


async def test_who_only_operates_does_not_read_the_journal(site: Site) -> None:
    operator = await site.airboss.person("otto", "vc1", "operator")
    async with await operator.link() as link:
        with pytest.raises(RefusedError, match="owner"):
            await records(link, "vc1")


async def test_a_site_admin_sees_everything_and_an_owner_of_all_clusters_does_not(
    site: Site, ada: Link
) -> None:
    await ada.call("power.on", "vc1", [NODE])
    root = await site.airboss.person("root-ada", "*", "admin")
    async with await root.link() as link:
        everything = await records(link, "", last=5000)
        assert [record.id for record in everything] == list(range(1, len(everything) + 1))
        assert {"cluster.add", "key.add", "airboss.start", "power.on"} <= {r.verb for r in everything}
        of_one = await records(link, "vc1", last=5000)
        assert {"cluster.add", "key.add", "power.on"} <= {r.verb for r in of_one}
        assert all(r.cluster == "vc1" or r.kind == "outcome" for r in of_one)
        following = await Following(link, "").begun()
        # By another program, which tells airboss of it only in the database.
        await site.airboss.admin("cluster", "add", "vc9")
        await until(lambda: any(r.cluster == "vc9" for r in following.records), 30, "the admin's act")
        await following.stop()
    landlord = await site.airboss.person("landlord", "*", "owner")
    async with await landlord.link() as link:
        assert {r.verb for r in await records(link, "vc1")} == {"power.on", ""}
        for cluster in ("", "*", "vc7"):
            found: list[Record] = []
            try:
                found = await records(link, cluster)
            except RefusedError:
                assert cluster == ""
            assert not found


async def test_what_is_asked_is_followed_at_once_by_those_who_may_see_it(
    site: Site, ada: Link, bob: Link
) -> None:
    hers = await Following(ada, "vc1").begun()
    his = await Following(bob, "vc2").begun()
    await ada.call("power.on", "vc1", [NODE])
    await until(lambda: len(hers.records) == 2, 30, "intent and outcome")
    intent, outcome = hers.records
    assert (intent.verb, intent.principal, outcome.intent) == ("power.on", "ada", intent.id)
    for number in range(20):
        await ada.call("power.on", "vc1", [f"n{number}"])
    await until(lambda: len(hers.records) == 42, 30)
    assert [r.id for r in hers.records] == sorted({r.id for r in hers.records})
    # What others do is no event for him: not even an empty page more than the pulse.
    assert len(his.pages) <= 2
    assert not his.records
    await bob.call("power.on", "vc2", [NODE])
    await until(lambda: len(his.records) == 2, 30)
    await hers.stop()
    await his.stop()


async def test_who_loses_the_key_loses_the_stream_and_only_that(site: Site) -> None:
    person = await site.airboss.person("eve", "vc1")
    await site.airboss.entitle(person, "vc2")
    async with await person.link() as link:

        async def both() -> bool:
            try:
                return (await records(link, "vc2", last=1)) == []
            except RefusedError:
                return False

        await until(both, 30, "both clusters are hers")
        first, second = await Following(link, "vc1").begun(), await Following(link, "vc2").begun()
        await site.airboss.admin("key", "remove", "vc1", person.fingerprint)
        await until(first.task.done, 30, "the stream has ended")
        with pytest.raises(RefusedError, match="not entitled"):
            await first.task
        await link.call("power.on", "vc2", [NODE])
        await until(lambda: len(second.records) == 2, 30, "the other one goes on")
        # A role that does not reach any more is as good as none.
        line = SignerLine(principals=(person.name,), key_blob=person.key_blob)
        site.airboss.editor.add_signers("vc2", "operator", [line])
        await until(second.task.done, 30, "the stream has ended")
        with pytest.raises(RefusedError):
            await second.task
        third = asyncio.create_task(records(link, "vc2"))
        with pytest.raises(RefusedError):
            await third
        await site.airboss.admin("key", "remove", "vc2", person.fingerprint)
        await until(lambda: link.closed, 30, "the connection is closed")
        with pytest.raises(UnreachableError):
            await records(link, "vc2")


async def test_readers_that_do_not_read_slow_nobody(site: Site, ada: Link, bob: Link) -> None:
    """Twenty streams of 20 MB each that nobody reads, and verbs beside them."""
    text = "x" * 100_000
    with site.airboss.editor._database.write() as connection:
        fat = [
            entry(time.time(), "event", principal="p", auth="ssh", cluster="vc1", verb="x", result=text)
            for _ in range(200)
        ]
        chain.append(connection, fat)
    async with AsyncExitStack() as stack:
        for _ in range(20):
            channel = await ada._open("journal.read", "vc1", (), {"last": 5000})
            stack.callback(channel.close)
            assert channel._chan is not None
            channel._chan.pause_reading()
        assert site.airboss.process is not None
        before = processor_seconds(site.airboss.process.pid)
        for number in range(30):
            await bob.call("power.on", "vc2", [f"n{number}"])
        # 0.2 s alone.
        assert processor_seconds(site.airboss.process.pid) - before < 2
        status = Path(f"/proc/{site.airboss.process.pid}/status").read_text()
        kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        assert kib < 300 * 1024, "what nobody reads is not read from the disk either"
        # Who does read gets it all meanwhile.
        assert len(await records(ada, "vc1", last=5000)) == 200


# --- pilot journal -------------------------------------------------------------------------------


async def pilot(person: Person, site: Site, *words: str) -> tuple[int, str, str]:
    config = person.folder / "config"
    config.mkdir(mode=0o700, exist_ok=True)
    address = ("--site", f"127.0.0.1:{site.airboss.port}", "--key", str(person.key), "--accept-new")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.cli", *words, *address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=person.environment,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


async def test_pilot_journal_shows_and_checks(site: Site) -> None:
    await pilot(site.ada, site, "power", "on", NODE, "compute-0-[1-3]", "--cluster", "vc1")
    code, out, _ = await pilot(site.ada, site, "journal", "--cluster", "vc1")
    assert code == 0
    heading, row = out.splitlines()
    assert heading.split() == ["TIME", "WHO", "VERB", "NODES", "OUTCOME", "TOOK"]
    assert "ada  power.on  compute-0-0 compute-0-[1-3]  ✕ 2 refused" in row
    code, out, _ = await pilot(site.ada, site, "journal", "--json", "--last", "1")
    assert code == 0
    (outcome,) = (json.loads(line) for line in out.splitlines())
    assert (outcome["kind"], outcome["result"][0]["target"]) == ("outcome", NODE)
    code, out, err = await pilot(site.ada, site, "journal", "--verify")
    assert (code, err) == (0, ""), err
    assert "1 of your receipts were compared, 0 contradictions" in out
    tamper(site, f"UPDATE journal SET result = '[]' WHERE id = {outcome['id']}")
    code, out, err = await pilot(site.ada, site, "journal", "--verify", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["broken"]) == (1, False, outcome["id"])
    code, out, err = await pilot(site.ada, site, "journal", "--verify")
    assert f"BROKEN at record {outcome['id']}" in out
    assert "Tell the site's admin" in err
    assert (await pilot(site.bob, site, "journal", "--cluster", "vc1"))[0] == 3
    code, out, err = await pilot(site.bob, site, "journal")
    assert (code, out) == (0, "")
    assert "nothing in the journal of vc2" in err


async def test_pilot_journal_follows_through_a_restart_of_airboss(site: Site, ada: Link) -> None:
    await ada.call("power.on", "vc1", ["first"])
    address = ("--site", f"127.0.0.1:{site.airboss.port}", "--key", str(site.ada.key), "--accept-new")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.cli", "journal", "--follow", *address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=site.ada.environment,
    )
    assert process.stdout is not None
    out = process.stdout

    async def line_with(word: bytes) -> str:
        async with asyncio.timeout(60):
            while word not in (line := await out.readline()):
                assert line, "it has ended"
        return line.decode()

    try:
        assert "✕ refused" in await line_with(b"first")
        await ada.call("power.off", "vc1", ["second"])
        assert "ada  power.off  second" in await line_with(b"second")
        await site.airboss.stop()
        await site.airboss.start()
        async with await site.ada.link() as again:
            await again.call("power.reset", "vc1", ["third"])
        assert "ada  power.reset  third" in await line_with(b"third")
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            rest, err = await process.communicate()
    assert process.returncode == 130
    assert b"first" not in rest, "nothing is told twice"
    assert b"connected again" in err
