"""`pilot record` and `pilot play` as people run them: a real boot recorded, got, checked and played."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pilot.asciicast import Reader
from pilot.errors import Exit
from tests.e2e.conftest import MakeSite
from tests.e2e.test_pilot import pilot
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NODE = "compute-0-0"


async def test_a_boot_is_recorded_got_checked_and_played(
    make_site: MakeSite, nodes: Callable[..., list[Vm]], tmp_path: Path
) -> None:
    site = await make_site(1)
    nodes(site.hosts[0], "vc1", 1)
    ada, address = site.ada, f"127.0.0.1:{site.airboss.port}"
    code, _, err = await pilot(ada, "login", address, "--accept-new", "--key", str(ada.key))
    assert code == Exit.OK, err

    async def known() -> bool:
        return NODE in (await pilot(ada, "nodes"))[1]

    await until(known, 30, "the node is known", every=0.2)
    code, out, err = await pilot(ada, "record", "start", NODE)
    assert (code, "recording " in out) == (Exit.OK, True), err
    code, out, _ = await pilot(ada, "record", "start", NODE)
    assert code == Exit.REFUSED
    assert "ada records" in out
    code, _, err = await pilot(ada, "power", "on", NODE)
    assert code == Exit.OK, err
    code, _, err = await pilot(ada, "console", NODE, "--wait-for", "login:", "--timeout", "60")
    assert code == Exit.OK, err
    code, out, _ = await pilot(ada, "record", "stop", NODE)
    assert (code, "has ended" in out) == (Exit.OK, True)

    code, out, _ = await pilot(ada, "record", "list", "--json")
    (one,) = json.loads(out)
    assert (one["name"], one["principal"], one["input"]) == (NODE, "ada", False)
    assert one["started"] < one["ended"]
    path = tmp_path / "boot.cast"
    code, _, err = await pilot(ada, "record", "get", NODE, "-o", str(path))
    assert code == Exit.OK, err
    assert f"As the journal has it sealed: all {one['size']:,} bytes" in err
    with path.open("rb") as file:
        events = list(Reader(file))
    assert "turned on" in [event.data for event in events if event.code == "m"]
    assert "Linux version" in "".join(event.data for event in events if event.code == "o")
    code, out, err = await pilot(ada, "play", one["id"], "--print")
    assert (code, err) == (Exit.OK, "")
    assert "login:" in out
    code, out, _ = await pilot(site.bob, "record", "get", one["id"])
    assert code != Exit.OK

    # Somebody is at airboss's disk: another word of the same length.
    file_there = site.airboss.state / "recordings" / f"{one['id']}.cast"
    file_there.write_bytes(file_there.read_bytes().replace(b"Linux", b"Minix"))
    code, _, err = await pilot(ada, "record", "get", one["id"], "-o", str(path), "--force")
    assert code == Exit.FAILED
    assert "Not what was recorded: bytes " in err
    assert "are not what was sealed" in err
    assert b"Minix" in path.read_bytes(), "it is kept as evidence"
