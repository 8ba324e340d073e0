"""`pilot vnc`: TigerVNC's own viewer at a real node, on a desktop of its own that is read and typed at."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilot.errors import Exit
from pilot.vnc.keys import strokes
from pilot.vnc.text import Decoder, Fonts
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_pilot import pilot, start
from tests.support.vms import Vm
from tests.support.waiting import until
from tests.vnc.qemu import Viewer, viewing
from tests.vnc.test_rfb_tigervnc import desktop

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (shutil.which("Xvnc") and shutil.which("xtigervncviewer")), reason="no TigerVNC is installed"
    ),
]

NODE = "compute-0-0"
SECONDS = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 1)
    site.vms[0].start()
    address = f"127.0.0.1:{site.airboss.port}"
    code, _, err = await pilot(site.ada, "login", address, "--accept-new", "--key", str(site.ada.key))
    assert code == 0, err
    code, _, err = await pilot(site.ada, "screen", NODE, "--wait-for", f"{NODE} login:", "--timeout", "60")
    assert code == 0, err
    return site


class Desk:
    """The desktop as it is seen, with the viewer's window in its upper left corner."""

    def __init__(self, outer: Viewer) -> None:
        self._outer = outer
        self._decoder = Decoder(Fonts.built_in())

    def text(self) -> str:
        """What can be read in the part that the guest's screen fills."""
        text = self._decoder.decode(self._outer.screen.packed[:400, :720].copy())
        return text.plain() if text is not None else ""

    async def sees(self, words: str) -> None:
        await until(lambda: words in self.text(), SECONDS, f"'{words}' on the desktop", every=0.2)

    async def type(self, text: str) -> None:
        for stroke in strokes(text).strokes:
            self._outer.press(stroke)
            await asyncio.sleep(0.05)


async def test_tigervnc_shows_and_types(site: Site, folder: Path) -> None:
    async with desktop(folder, "-geometry", "720x400") as server, viewing(server.vnc) as outer:
        desk = Desk(outer)
        (folder / "home").mkdir()
        display = {"DISPLAY": f":{server._display}", "HOME": str(folder / "home"), "TMPDIR": str(folder)}
        viewer = "xtigervncviewer -Shared -RemoteResize=0 -geometry 720x400+0+0 -FullScreen"
        environment = {**site.ada.environment, **display}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pilot.cli", "vnc", NODE, "--viewer", viewer),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            await desk.sees(f"{NODE} login:")
            # Nobody can connect a second time: the socket is gone.
            assert not [*folder.glob("pilot-vnc-*")]
            await desk.type("root\n")
            await desk.sees("Password:")
            os.kill(site.vms[0].qemu_pid, signal.SIGKILL)
            async with asyncio.timeout(SECONDS):
                _, err = await process.communicate()
            assert process.returncode == Exit.FAILED, err
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_an_address_for_one_viewer(site: Site, folder: Path) -> None:
    path = folder / "screen"
    process = await start(site.ada, "vnc", NODE, "--print", "--unix", str(path), "--json", "--view-only")
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        told = json.loads(await process.stdout.readline())
    assert told == {"node": NODE, "address": str(path)}
    assert path.stat().st_mode & 0o077 == 0
    async with viewing(path) as viewer:
        await until(lambda: not viewer.waiting or viewer.generation, SECONDS, "a picture")
        assert not path.exists()
    async with asyncio.timeout(SECONDS):
        await process.wait()
    assert process.returncode == 0

    code, _, err = await pilot(site.ada, "vnc", NODE, "--print", "--timeout", "1")
    assert code == Exit.UNKNOWN, err
    assert "no viewer connected within 1 s" in err
    code, _, err = await pilot(site.ada, "vnc", NODE, "--listen", "0.0.0.0:5900")
    assert code == Exit.USAGE
