"""The demo's pool: its file is read as any other."""

from __future__ import annotations

from pathlib import Path

from pilot.backends.condor.provider import CondorPools, PoolSettings
from pilot.demo.slots import AdsFile
from pilot.render.machines import Pools, pool_lines
from tests.backends.condor.seen import Seen


async def test_it_is_shown_as_what_it_is(tmp_path: Path) -> None:
    file, seen = AdsFile(tmp_path / "ads"), Seen()
    file.start()
    pools = CondorPools([PoolSettings("osg", file=str(file.path), cluster="vc1")])
    await pools.start(seen)
    try:
        await seen.until(lambda: seen.source("file").state == "up", "up")
    finally:
        await pools.stop()
        file.stop()
    source = seen.source("file")
    assert source.pretended
    lines = pool_lines(Pools(seen.records.values()), source.good, False)
    text = "\n".join(lines)
    for words in (
        "▾ osg", "◇ a file of ads", "4 on 3 machines", "4 running, 3 idle, 1 held",
        "compute-0-0.local", "◐ draining, 1 job left", "a new disk", "you@frontend.vc1.local 12.0",
    ):  # fmt: skip
        assert words in text, text
    assert "last heard" not in text
