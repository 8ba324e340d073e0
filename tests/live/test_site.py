"""A site kept connected to a real airboss that is killed, stopped, replaced, and changes its mind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from pilot.errors import IdentityError, PilotError, RefusedError, UnreachableError
from pilot.link import watching
from pilot.link.backoff import Backoff
from pilot.live import lag, returning
from pilot.live.site import LiveSite
from pilot.records import Host, Node
from tests.live.conftest import NODES, MakeLive, becomes, stopped
from tests.support.airboss import Airboss, Person, free_port
from tests.support.waiting import until


def named(site: LiveSite, name: str) -> Node:
    return next(node for node in site.store.nodes() if node.name == name)


def why(site: LiveSite) -> PilotError | None:
    return site.error


async def test_it_shows_what_is_there_what_may_be_done_and_how_far_airboss_is(
    ada: Person, live: MakeLive
) -> None:
    site = live(ada)
    states: list[str] = []
    site.changed.listen(lambda: states.append(site.state))
    assert site.state == "connecting"
    assert site.clusters() == []
    assert not site.may("node.list", "vc1")
    await becomes(site, "live")
    assert set(states) == {"connecting", "live"}
    assert site.principal == "ada"
    assert site.role_in("vc1") == site.role_in("") == "owner"
    assert site.role_in("vc2") is None
    assert site.may("power.install", "vc1")
    assert not site.may("node.list", "vc2")
    assert site.clusters() == ["vc1"]
    assert site.error is None
    await until(lambda: sum(1 for _ in site.store.nodes()) == NODES)
    await until(lambda: site.lag is not None, what="a pong")
    assert site.lag is not None
    assert 0 < site.lag < 1
    progress: list[str] = []
    reply = await site.call(
        "power.on", "vc1", ["compute-0-3"], {}, lambda frame: progress.append(frame.target)
    )
    assert [outcome.result for outcome in reply.outcomes] == ["done"]
    assert set(progress) == {"compute-0-3"}
    await until(lambda: named(site, "compute-0-3").state == "on")
    pages = [page async for page in site.journal("vc1", follow=False)]
    assert "power.on" in [record.verb for page in pages for record in page.records]
    tail = site.tail(named(site, "compute-0-3").id, "vc1")
    assert [data async for data in tail] == []
    assert tail.why == "compute-0-3 has no serial console"
    with pytest.raises(RefusedError, match="no serial console"):
        await site.console(named(site, "compute-0-3").id, "vc1")


async def test_a_killed_airboss_is_missed_and_found_again_and_nothing_is_forgotten(
    boss: Airboss, ada: Person, live: MakeLive
) -> None:
    site = live(ada)
    await becomes(site, "live")
    await until(lambda: sum(1 for _ in site.store.nodes()) == NODES)
    await site.call("power.on", "vc1", ["compute-0-0"])
    await until(lambda: named(site, "compute-0-0").state == "on")
    before = dict(site.store.records)
    since = site.since
    subscription = site.store.subscribe()
    await boss.kill()
    await becomes(site, "lost")
    assert site.since > since
    assert isinstance(site.error, UnreachableError)
    assert site.lag is None
    assert site.store.records == before
    assert site.store.stale_since == pytest.approx(site.since, abs=1)
    assert site.principal == "ada", "who one is is not forgotten"
    assert site.may("power.on", "vc1")
    began = time.monotonic()
    for ask in (site.call("node.list", "vc1"), site.console("x", "vc1")):
        with pytest.raises(UnreachableError, match="there is no link to test now"):
            await ask
    with pytest.raises(UnreachableError):
        site.tail("x", "vc1")
    assert time.monotonic() - began < 5, "it does not wait for a link"
    shown: set[tuple[str, float | None]] = set()
    site.changed.listen(lambda: shown.add((site.state, site.next_attempt)))
    await until(lambda: ("lost", None) in shown, what="another try")
    assert {state for state, _ in shown} == {"lost"}, "a try does not look like a beginning"
    waits = [attempt for _, attempt in shown if attempt is not None]
    assert all(attempt < time.time() + 15 for attempt in waits)
    await boss.start()
    site.retry()
    await becomes(site, "live")
    assert why(site) is None
    assert site.store.stale_since is None
    # An airboss that has just begun has not read its hosts: until then what was known is shown as old.
    seen: list[int] = []

    async with asyncio.timeout(10):
        async for changed in subscription:
            assert changed.keys <= before.keys()
            nodes = list(site.store.nodes())
            seen.append(len(nodes))
            if all(node.stale_since is None for node in nodes):
                break
    assert named(site, "compute-0-0").state == "on"
    assert set(seen) == {NODES}, "no node went and came again"
    subscription.close()
    assert (await site.call("node.list", "vc1")).records


async def test_nodes_that_do_not_come_back_are_shown_as_old_for_a_while(
    boss: Airboss, ada: Person, live: MakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = live(ada)
    await becomes(site, "live")
    await until(lambda: sum(1 for _ in site.store.nodes()) == NODES)
    await boss.stop()
    await becomes(site, "lost")
    lost = site.since
    boss.config.write_text(boss.config.read_text().split("[[host]]")[0])
    monkeypatch.setattr(returning, "KEEP_SECONDS", 2.0)
    await boss.start()
    site.retry()
    await becomes(site, "live")
    assert [node.stale_since for node in site.store.nodes()] == [pytest.approx(lost, abs=1)] * NODES
    assert isinstance(host := site.store.records["host:fleet"], Host)
    assert host.state == "connecting"
    # Rights that change meanwhile bring another snapshot: that one knows of them as little.
    await boss.entitle(ada, "vc2", "viewer")
    await until(lambda: site.role_in("vc2") == "viewer")
    assert sum(1 for _ in site.store.nodes()) == NODES
    await until(lambda: sum(1 for _ in site.store.nodes()) == 0, what="they are gone")
    assert site.store.records.keys() == {"cluster:vc1", "cluster:vc2"}


async def test_nodes_that_are_the_users_no_more_are_not_kept(
    boss: Airboss, ada: Person, live: MakeLive
) -> None:
    await boss.entitle(ada, "vc2", "viewer")
    site = live(ada)
    await becomes(site, "live")
    await until(lambda: sum(1 for _ in site.store.nodes()) == NODES)
    await boss.stop()
    await becomes(site, "lost")
    boss.editor.remove_signers("vc1", lambda entry: True)
    assert sum(1 for _ in site.store.nodes()) == NODES
    await boss.start()
    site.retry()
    await becomes(site, "live")
    assert not list(site.store.nodes())


async def test_an_airboss_that_hangs_shows_in_the_lag_and_then_as_lost(
    boss: Airboss, ada: Person, live: MakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENCE_SECONDS", 6.0)
    monkeypatch.setattr(watching, "PING_SECONDS", 0.2)
    monkeypatch.setattr(lag, "LATE_SECONDS", 1.0)
    monkeypatch.setattr(lag, "EACH_SECONDS", 0.2)
    site = live(ada)
    await becomes(site, "live")
    await until(lambda: site.lag is not None)
    told: list[float | None] = []
    with stopped(boss) as go_on:
        begun = time.monotonic()
        call = asyncio.create_task(site.call("node.list", "vc1"))
        site.changed.listen(lambda: told.append(site.lag))
        await until(lambda: (site.lag or 0) > 2.0, what="the lag grows")
        assert site.state == "live"
        await becomes(site, "lost")
        assert 5 < time.monotonic() - begun < 20
        assert isinstance(site.error, UnreachableError)
        assert "silent for 6 s" in site.error.message
        with pytest.raises(UnreachableError):
            await call
        lags = [seconds for seconds in told if seconds is not None]
        assert lags == sorted(lags)
        assert len(lags) > 5
        go_on()
        site.retry()
        await becomes(site, "live", 15)
    assert site.store.stale_since is None


async def test_leaving_does_not_wait_for_an_airboss_that_hangs(
    boss: Airboss, ada: Person, live: MakeLive
) -> None:
    site = live(ada)
    await becomes(site, "live")
    with stopped(boss):
        begun = time.monotonic()
        await site.close()
        assert time.monotonic() - begun < 5
    assert site.state == "lost"
    assert "was closed" in str(site.error)
    assert sum(1 for _ in site.store.nodes()) == NODES


async def test_another_host_key_stops_everything_until_the_user_says_so(
    boss: Airboss, ada: Person, live: MakeLive
) -> None:
    tries = 0

    async def connect() -> object:
        nonlocal tries
        tries += 1
        return await ada.link()

    site = live(connect)  # type: ignore[arg-type]
    await becomes(site, "live")
    await boss.stop()
    for name in ("host_key", "host_key.pub"):
        (boss.state / name).unlink()
    await boss.start()
    site.retry()
    await becomes(site, "refused")
    assert isinstance(site.error, IdentityError)
    assert "HAS CHANGED" in site.error.message
    assert "Ask the site's admin for the fingerprint" in site.error.hint
    assert site.next_attempt is None
    assert sum(1 for _ in site.store.nodes()) == NODES
    assert site.store.stale_since is not None
    tried = tries
    with pytest.raises(UnreachableError, match="HAS CHANGED"):
        await site.call("node.list", "vc1")
    site.retry()
    await until(lambda: tries == tried + 1)
    await becomes(site, "refused")
    ada.known_hosts.forget("127.0.0.1", boss.port)
    site.retry()
    await becomes(site, "live")
    assert tries == tried + 2


async def test_roles_follow_what_the_admin_does_while_connected(
    boss: Airboss, ada: Person, live: MakeLive
) -> None:
    site = live(ada)
    await becomes(site, "live")
    link = site._link
    boss.editor.remove_signers("vc1", lambda entry: True)
    await boss.entitle(ada, "vc1", "viewer")
    await boss.entitle(ada, "vc2", "operator")
    await until(lambda: site.role_in("vc1") == "viewer" and site.role_in("vc2") == "operator", 15)
    await becomes(site, "live")
    link = site._link
    boss.editor.add_cluster("vc3", None, False)
    await boss.entitle(ada, "vc3", "owner")
    await until(lambda: site.role_in("vc3") == "owner", what="the new role")
    assert site._link is link, "without another connection"
    assert not site.may("power.on", "vc1")
    assert site.may("power.on", "vc2")
    await until(lambda: site.clusters() == ["vc1", "vc2", "vc3"])
    for cluster in ("vc1", "vc2", "vc3"):
        boss.editor.remove_signers(cluster, lambda entry: True)
    await becomes(site, "refused", 15)
    if isinstance(site.error, RefusedError):
        # airboss ended the watch before it had cut the connection.
        assert "not entitled" in site.error.message
        site.retry()
        await until(lambda: isinstance(site.error, IdentityError), 15, "it is tried again")
    assert isinstance(site.error, IdentityError)
    assert "knows none of your keys" in site.error.message
    assert "pilot-agent key add" in site.error.hint
    assert sum(1 for _ in site.store.nodes()) == NODES


async def test_a_try_can_be_called_for_before_its_time(boss: Airboss, ada: Person, live: MakeLive) -> None:
    port, boss.port = boss.port, free_port()
    site = live(ada, Backoff(600.0, 600.0))
    await becomes(site, "lost")
    assert isinstance(site.error, UnreachableError)
    assert not site.store.complete
    assert site.store.stale_since is None, "nothing is known that could be old"
    await until(lambda: site.next_attempt is not None)
    assert site.next_attempt is not None
    assert site.next_attempt > time.time() + 200
    boss.port = port
    site.retry()
    await becomes(site, "live")
    assert site.next_attempt is None


async def test_a_mistake_of_ours_is_shown_and_does_not_end_the_app(
    ada: Person, live: MakeLive, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    async def connect() -> object:
        if broken:
            raise ZeroDivisionError("oh")
        return await ada.link()

    site = live(connect)  # type: ignore[arg-type]
    await becomes(site, "refused")
    assert "ZeroDivisionError" in str(site.error)
    assert "oh" in caplog.text
    broken = False
    site.retry()
    await becomes(site, "live")


async def test_it_may_be_run_again(ada: Person, live: MakeLive) -> None:
    site = live(ada)
    await becomes(site, "live")
    await site.close()
    assert site.state == "lost"
    running = asyncio.create_task(site.run())
    await becomes(site, "live")
    await site.close()
    assert running.cancelled()


def test_nothing_heavy_is_imported_with_it() -> None:
    code = (
        "import sys, pilot.live.site, pilot.live.sites, pilot.live.connecting, pilot.live.usage; "
        "print([name for name in ('asyncssh', 'cryptography', 'textual') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=30, env=dict(os.environ)
    )
    assert out.stdout == b"[]\n"
