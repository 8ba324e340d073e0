"""The tests' own HTCondor pool ends with whoever started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.condor_pool import need_condor
from tests.support.waiting import until_sync

_START = """
import sys, time
from pathlib import Path
from tests.support.condor_pool import CondorPool
pool = CondorPool(Path(sys.argv[1]))
pool.add("compute-0-0", 60)
pool.wait(1)
print("up", flush=True)
time.sleep(600)
"""


def inside(folder: Path) -> list[str]:
    """The processes that see the folder as their /srv."""
    found = []
    for proc in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if proc.name.isdigit() and (proc / "root/srv").samefile(folder):
                found.append((proc / "comm").read_text().strip())
    return found


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_pool_ends_with_who_started_it(short_folder: Path, by: signal.Signals) -> None:
    need_condor()
    folder = Path(tempfile.mkdtemp(prefix="c", dir=short_folder))
    with subprocess.Popen(
        [sys.executable, "-c", _START, str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    ) as starter:  # fmt: skip
        try:
            assert starter.stdout is not None
            assert starter.stdout.readline() == b"up\n"
            assert {"condor_collecto", "condor_startd"} <= set(inside(folder))
        finally:
            os.kill(starter.pid, by)
        starter.wait(30)
        until_sync(lambda: not inside(folder), 30, "all of it has ended", every=0.1)
