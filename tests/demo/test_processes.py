"""Processes are known by pid and start time, and only the right ones are ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pilot.demo import processes
from pilot.demo.processes import Process

STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def found(child: subprocess.Popen[bytes]) -> Process:
    process = processes.find(child.pid)
    assert process is not None
    return process


def test_ends_what_obeys(child: subprocess.Popen[bytes]) -> None:
    processes.end([found(child)], grace=5)
    assert child.wait(timeout=30) == -signal.SIGTERM


def test_ends_what_does_not_obey() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        processes.end([found(child)], grace=0.2)
        assert child.wait(timeout=30) == -signal.SIGKILL


def test_spares_another_process_that_has_the_pid_now(child: subprocess.Popen[bytes]) -> None:
    earlier = msgspec.structs.replace(found(child), started=1)
    assert not earlier.alive
    processes.end([earlier], grace=0.1)
    assert child.poll() is None


def test_one_that_only_waits_to_be_reaped_is_gone(child: subprocess.Popen[bytes]) -> None:
    process = found(child)
    child.kill()
    processes.end([process])
    assert not process.alive
    assert processes.find(child.pid) is None


def test_pid_file_counts_only_with_the_right_command_line(
    child: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "pid"
    assert processes.from_pid_file(path, "sleep") is None
    path.write_text(f"{child.pid}\n")
    assert processes.from_pid_file(path, "sleep", "300") == found(child)
    assert processes.from_pid_file(path, "sleep", "301") is None
    path.write_text("rubbish")
    assert processes.from_pid_file(path, "sleep") is None
