"""`pilot overview` and `pilot events` as people run them, on a real VM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import MakeSite
from tests.e2e.test_pilot import pilot, start
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


async def test_what_happens_and_what_needs_attention(
    make_site: MakeSite, nodes: Callable[..., list[Vm]]
) -> None:
    site = await make_site(1)
    (vm,) = nodes(site.hosts[0], "vc1", 1)
    name = vm.plan.name
    address = f"127.0.0.1:{site.airboss.port}"
    for person in (site.ada, site.bob):
        code, _, err = await pilot(person, "login", address, "--accept-new", "--key", str(person.key))
        assert code == 0, err
    following = await start(site.ada, "events", "--follow", "--json")
    assert following.stdout is not None

    async def paused_is_told() -> bool:
        code, out, err = await pilot(site.ada, "overview", "--json")
        assert code == 0, err
        return [(one["kind"], one["name"], one["verb"]) for one in json.loads(out)] == [
            ("paused", name, "power.resume")
        ]

    try:
        code, out, err = await pilot(site.ada, "overview")
        assert (code, out) == (0, ""), err
        assert "Nothing needs attention." in err
        code, _, err = await pilot(site.ada, "power", "on", name)
        assert code == 0, err
        vm.domain.suspend()
        await until(paused_is_told, 60, "the overview")
        code, out, err = await pilot(site.ada, "overview")
        assert code == 0, err
        assert "◆ paused" in out
        assert "resume" in out
        said: list[str] = []
        async with asyncio.timeout(60):
            while "is paused; it was on" not in said:
                said.append(json.loads(await following.stdout.readline())["words"])
        assert "is on; it was off" in said
    finally:
        following.terminate()
        await following.wait()
    code, out, err = await pilot(site.ada, "events", "--last", "1")
    assert code == 0, err
    assert f"{name} of vc1: is paused; it was on" in out
    code, out, err = await pilot(site.bob, "events")
    assert (code, out) == (0, ""), err
