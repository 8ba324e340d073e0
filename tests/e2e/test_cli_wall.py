"""`pilot wall`: a login on one screen, a node that never ran, and last words of one that was turned off."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import MakeSite
from tests.e2e.test_pilot import pilot
from tests.support.vms import Vm

pytestmark = pytest.mark.e2e


async def test_what_all_nodes_show(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> None:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 2)
    site.vms[0].start()
    address = f"127.0.0.1:{site.airboss.port}"
    code, _, err = await pilot(site.ada, "login", address, "--accept-new", "--key", str(site.ada.key))
    assert code == 0, err
    waited = ("--wait-for", "compute-0-0 login:", "--timeout", "60")
    code, _, err = await pilot(site.ada, "screen", "compute-0-0", *waited)
    assert code == 0, err

    code, out, err = await pilot(site.ada, "wall", "--columns", "2", "--lines", "3")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split() == ["compute-0-0", "●", "now", "compute-0-1", "○", "off", *lines[0].split()[6:]]
    assert any(line.startswith("compute-0-0 login:") for line in lines[1:4])

    code, _, err = await pilot(site.ada, "power", "off", "compute-0-0", "--yes")
    assert code == 0, err
    code, out, err = await pilot(site.ada, "wall", "--json", "compute-0-0")
    assert code == 0, err
    (tile,) = json.loads(out)
    assert (tile["state"], tile["live"]) == ("off", False)
    assert any("login:" in line for line in tile["lines"])
    assert tile["time"]
