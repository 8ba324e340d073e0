"""`pilot screen` on a real node: its login, a picture of it, and the whole of a kernel panic."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pilot.errors import Exit
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_pilot import pilot
from tests.support import panic
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NODE = "compute-0-0"
SECONDS = "60"


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 2)
    address = f"127.0.0.1:{site.airboss.port}"
    code, _, err = await pilot(site.ada, "login", address, "--accept-new", "--key", str(site.ada.key))
    assert code == 0, err

    async def known() -> bool:
        code, out, err = await pilot(site.ada, "nodes", "--json")
        assert code == 0, err
        return len(json.loads(out)) == 2

    await until(known, 60, "the nodes are known")
    return site


async def test_from_a_login_to_a_panic(site: Site, tmp_path: Path) -> None:
    code, _, err = await pilot(site.ada, "screen", NODE)
    assert code == Exit.FAILED
    assert f"{NODE} does not run" in err or "is off" in err, err

    code, _, err = await pilot(site.ada, "power", "on", NODE)
    assert code == 0, err
    code, out, err = await pilot(
        site.ada, "screen", NODE, "--wait-for", f"{NODE} login:", "--timeout", SECONDS
    )
    assert code == 0, err
    assert out.rstrip().endswith(f"{NODE} login:")

    code, out, err = await pilot(site.ada, "screen", NODE, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["columns"], told["rows"], told["node"]) == (80, 25, NODE)
    assert told["read"] > 0.999
    assert f"{NODE} login:" in told["lines"]
    # It blinks: a single look may miss it.
    if told["cursor"] is not None:
        column, row = told["cursor"]
        assert (told["lines"][row], column) == (f"{NODE} login:", len(f"{NODE} login: "))

    picture = tmp_path / "screen.png"
    code, _, err = await pilot(site.ada, "screen", NODE, "--png", str(picture))
    assert code == 0, err
    assert size_of(picture.read_bytes()) == (told["width"], told["height"])

    code, _, err = await pilot(site.ada, "screen", NODE, "--wait-for", "never there", "--timeout", "1")
    assert code == Exit.UNSEEN, err

    await made_to_panic(site)
    code, out, err = await pilot(
        site.ada, "screen", NODE, "--wait-for", "end Kernel panic", "--timeout", SECONDS
    )
    assert code == 0, err
    seen = panic.rows_of(out)
    _, log, _ = await pilot(site.ada, "log", NODE, "--boot", "--time", "none")
    assert len(seen) > 10
    assert seen == panic.wrapped(panic.printed(log))[-len(seen) :]


async def made_to_panic(site: Site) -> None:
    """Let the guest's kernel panic, and stay as it is then."""
    code, _, err = await pilot(site.ada, "console", NODE, "--since-boot", "--timeout", SECONDS, *panic.STEPS)
    assert code == 0, err


def size_of(png: bytes) -> tuple[int, int]:
    """Of a PNG that is whole: each of its chunks has the checksum that it should have."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, kinds = 8, list[bytes]()
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 4 : at + 8 + length]
        assert zlib.crc32(body).to_bytes(4, "big") == png[at + 8 + length : at + 12 + length]
        kinds.append(body[:4])
        at += 12 + length
    assert kinds[-1] == b"IEND"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
