"""A host is cordoned: nobody starts a node there, whoever asks, until that is ended; also across restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pilot.agent.journal_read import Filter
from pilot.errors import Exit, RefusedError
from pilot.link.link import Link
from pilot.records import Host
from pilot.store import Store
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_pilot import pilot
from tests.support.airboss import Person
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    nodes(site.hosts[0], "vc1", 2)
    return site


async def known(link: Link, count: int = 2) -> None:
    async def there() -> bool:
        return len((await link.call("node.list", "vc1")).records) == count

    await until(there, 20, "the nodes are known")


async def host_of(link: Link) -> Host:
    store = Store()
    async for frame in link.watch():
        store.apply(frame)
        if store.complete:
            return next(store.of(Host))
    raise AssertionError("the watch ended")


async def test_no_node_is_started_on_a_cordoned_host(site: Site) -> None:
    host = site.hosts[0].name
    root = await site.airboss.person("root", "*", "admin")
    await logged_in(root, site)
    async with await site.ada.link() as ada:
        await known(ada)
        running = (await ada.call("power.on", "vc1", ("compute-0-0",))).outcomes[0]
        assert running.result == "done"
        code, out, err = await pilot(root, "cordon", host, "--why", "a fan is broken", "--json")
        assert code == 0, err
        assert json.loads(out)["outcomes"][0]["target"] == host
        for verb in ("power.on", "power.boot", "power.install"):
            (outcome,) = (await ada.call(verb, "vc1", ("compute-0-1",))).outcomes
            assert outcome.result == "refused", outcome
            assert outcome.state == "off"
            assert outcome.fault is not None
            today = datetime.now(UTC).strftime("%Y-%m-%d")
            for word in (host, "cordoned by root at", today, "a fan is broken"):
                assert word in outcome.fault.message, outcome.fault.message
            assert f"pilot uncordon {host}" in outcome.fault.hint
        # What runs stays, and may be reset: it is started nowhere.
        (outcome,) = (await ada.call("power.boot", "vc1", ("compute-0-0",))).outcomes
        assert (outcome.result, outcome.state) == ("done", "on")
        shown = await host_of(ada)
        assert shown.cordon is None  # who does what to hosts is the site's own business
    async with await root.link() as link:
        cordon = (await host_of(link)).cordon
        assert cordon is not None
        assert (cordon.principal, cordon.why) == ("root", "a fan is broken")
    await site.airboss.stop()
    await site.airboss.start()
    async with await site.ada.link() as ada:
        await known(ada)
        (outcome,) = (await ada.call("power.on", "vc1", ("compute-0-1",))).outcomes
        assert outcome.result == "refused"
        code, out, err = await pilot(root, "uncordon", host)
        assert code == 0, err
        assert "✓ done" in out
        (outcome,) = (await ada.call("power.on", "vc1", ("compute-0-1",))).outcomes
        assert outcome.result == "done", outcome
    code, out, err = await pilot(root, "uncordon", host, "nowhere")
    assert code == Exit.FAILED
    assert "was not cordoned" in out
    assert "there is no host 'nowhere'" in out
    verbs = [record.verb for record in await site.airboss.journal(Filter())]
    assert verbs.count("host.cordon") == 1
    assert verbs.count("host.uncordon") == 2
    await site.airboss.admin("journal", "verify")


async def test_only_the_sites_admins_cordon(site: Site) -> None:
    async with await site.ada.link() as ada:
        await known(ada)
        for cluster in ("", "vc1"):
            with pytest.raises(RefusedError, match="needs the role admin"):
                await ada.call("host.cordon", cluster, (site.hosts[0].name,))
        (outcome,) = (await ada.call("power.on", "vc1", ("compute-0-1",))).outcomes
        assert outcome.result == "done"


async def logged_in(person: Person, site: Site) -> None:
    address = f"127.0.0.1:{site.airboss.port}"
    code, _, err = await pilot(person, "login", address, "--accept-new", "--key", str(person.key))
    assert code == 0, err
