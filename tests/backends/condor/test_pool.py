"""Pools that are real: HTCondor's own daemons, with jobs that run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pilot.backends.condor.child import NICE
from pilot.backends.condor.provider import Bounds, CondorPools, PoolSettings
from pilot.errors import BackendError, RefusedError
from pilot.jobs import doomed, empty
from tests.backends.condor.seen import POOL, Seen
from tests.support.condor_pool import USER, CondorPool
from tests.support.waiting import until

pytest.importorskip("htcondor2", reason="NOT TESTED: HTCondor's Python library is not installed")


@contextlib.asynccontextmanager
async def watching(settings: PoolSettings) -> AsyncIterator[tuple[CondorPools, Seen]]:
    seen, pools = Seen(), CondorPools([settings], bounds=Bounds(backoff_first=0.2, backoff_last=0.5))
    await pools.start(seen)
    try:
        yield pools, seen
    finally:
        await pools.stop()


@pytest.fixture
def reader(pool: CondorPool) -> Path:
    return pool.token("pilot", "READ")


def settings_of(pool: CondorPool, token: Path, **more: object) -> PoolSettings:
    return PoolSettings(POOL, collector=pool.address, token=str(token), every=1, **more)  # type: ignore[arg-type]


@pytest.fixture
def no_jobs(pool: CondorPool) -> Iterator[None]:
    yield
    pool.run("condor_rm", "-all", check=False)
    pool.wait(0, "JobId =!= undefined")


async def test_slots_jobs_and_queues_are_shown(pool: CondorPool, reader: Path, no_jobs: None) -> None:
    async with watching(settings_of(pool, reader)) as (_, seen):
        await seen.until(lambda: seen.source().state == "up", "up")
        machine = seen.machine("compute-0-1")
        assert machine is not None
        assert (machine.address, machine.instance) == ("127.0.1.11", "i-0123456789abcdef0")
        assert (machine.cpus, machine.memory, machine.slots) == (4, 4096 * 1024, ())
        assert (machine.state, machine.activity) == ("Unclaimed", "Idle")

        cluster = await asyncio.to_thread(pool.submit, 600, 12)
        running = {f"{cluster}.{number}" for number in range(9)}
        await seen.until(lambda: {s.job for m in seen.machines for s in m.slots} == running, "nine jobs")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        assert [slot.name for slot in machine.slots] == ["slot1_1", "slot1_2", "slot1_3", "slot1_4"]
        assert {slot.owner for slot in machine.slots} == {f"{USER}@cm.pilot.test"}
        assert {(slot.state, slot.activity) for slot in machine.slots} == {("Claimed", "Busy")}
        assert (machine.free_cpus, len(doomed(machine))) == (0, 4)
        await seen.until(lambda: [(q.idle, q.running) for q in seen.queues] == [(3, 9)], "the queue")
        assert seen.queues[0].id == f"queue:{POOL}/{USER}@cm.pilot.test/{USER}"

        await asyncio.to_thread(pool.run, "condor_rm", "-all")
        await seen.until(lambda: not any(s.job for m in seen.machines for s in m.slots), "no job")
        await seen.until(lambda: not seen.queues, "no queue")


async def test_a_machine_is_drained_while_its_job_ends(pool: CondorPool, reader: Path, no_jobs: None) -> None:
    admin = pool.token("pilot-admin", "ADMINISTRATOR")
    async with watching(settings_of(pool, reader, admin_token=str(admin))) as (pools, seen):
        only = 'requirements = TARGET.Machine == "compute-0-0.pilot.test"'
        await asyncio.to_thread(pool.submit, 6, 1, only)
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and doomed(m), "a job")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        assert not empty(machine)

        await pools.drain(machine, 'a new disk, says "alice"')
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and m.draining, "draining")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        assert (machine.drain_reason, machine.state) == ('a new disk, says "alice"', "Drained")
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and empty(m), "empty")
        history = await asyncio.to_thread(pool.run, "condor_history", "-limit", "1", "-af", "ExitCode")
        assert history.strip() == "0"  # it was left to end by itself

        await pools.drain(machine, "a second request changes nothing")
        for _ in range(2):
            await pools.drain(machine, "", undo=True)
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and not m.draining, "no more draining")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        assert (machine.state, machine.activity) == ("Unclaimed", "Idle")


async def test_who_may_not_drain_is_told(pool: CondorPool, reader: Path) -> None:
    async with watching(settings_of(pool, reader, admin_token=str(reader))) as (pools, seen):
        await seen.until(lambda: seen.machine("compute-0-0"), "a machine")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        with pytest.raises(BackendError, match="DENIED") as caught:
            await pools.drain(machine, "no")
        assert "admin_token" in caught.value.hint
    async with watching(settings_of(pool, reader)) as (pools, _):
        with pytest.raises(RefusedError, match="may not drain"):
            await pools.drain(machine, "no")


async def test_a_machine_is_drained_by_a_command(pool: CondorPool, reader: Path, tmp_path: Path) -> None:
    command = tmp_path / "drain"
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/said\necho not today >&2\nexit 1\n')
    command.chmod(0o755)
    async with watching(settings_of(pool, reader, drain_command=(str(command),))) as (pools, seen):
        await seen.until(lambda: seen.machine("compute-0-0"), "a machine")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        with pytest.raises(BackendError, match="not today"):
            await pools.drain(machine, "a disk")
    said = (tmp_path / "said").read_text().splitlines()
    assert said == ["-pool", pool.address, "-graceful", "-reason", "a disk", "compute-0-0.pilot.test"]


async def test_a_token_that_is_not_known_is_said_so_until_it_is_replaced(
    pool: CondorPool, reader: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("eyJhbGciOiJIUzI1NiIsImtpZCI6IlBPT0wifQ.eyJzdWIiOiJ4In0.AAAA\n")
    async with watching(settings_of(pool, token)) as (pools, seen):
        await seen.until(lambda: seen.source().state == "down", "down")
        source = seen.source()
        assert source.detail == "the collector does not let airboss read"
        assert "Failed to authenticate" in source.words
        assert "[[pool]] token" in source.words
        assert not seen.machines
        pid = pools.watch(POOL).pid
        token.write_text(reader.read_text())
        await seen.until(lambda: seen.source().state == "up", "up")
        assert len(seen.machines) == 3
        assert pools.watch(POOL).pid == pid


async def test_a_collector_that_stands_still_leaves_what_was_known(pool: CondorPool, reader: Path) -> None:
    async with watching(settings_of(pool, reader, deadline=1.0)) as (_, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        with pool.stopped("condor_collector"):
            await seen.until(lambda: seen.source().state == "down", "down")
            source = seen.source()
            assert source.detail == "the collector accepts connections and does not answer"
            assert 0 < source.good <= source.since
            assert len(seen.machines) == 3
        await seen.until(lambda: seen.source().state == "up", "up")
        assert len(seen.machines) == 3


async def test_a_process_that_dies_is_started_again(pool: CondorPool, reader: Path) -> None:
    async with watching(settings_of(pool, reader)) as (pools, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        pid = pools.watch(POOL).pid
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, own + NICE), "it gives way to airboss"
        os.kill(pid, signal.SIGKILL)
        await seen.until(lambda: pools.watch(POOL).pid not in (0, pid), "another process")
        told = seen.told
        await seen.until(lambda: seen.source().state == "up" and seen.told > told, "up again")
        assert len(seen.machines) == 3


async def test_a_process_that_hangs_is_killed(pool: CondorPool, reader: Path) -> None:
    async with watching(settings_of(pool, reader, deadline=1.0)) as (pools, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        pid = pools.watch(POOL).pid
        os.kill(pid, signal.SIGSTOP)
        await seen.until(lambda: seen.source().state == "down", "down")
        await seen.until(lambda: seen.source().state == "up", "up")
        assert pools.watch(POOL).pid != pid
        assert not Path(f"/proc/{pid}").exists()


async def test_a_collector_that_dies_comes_back(pool: CondorPool, reader: Path) -> None:
    async with watching(settings_of(pool, reader)) as (_, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        os.kill(pool.daemon("condor_collector"), signal.SIGKILL)
        await seen.until(lambda: seen.source().state == "down", "down")
        assert len(seen.machines) == 3
        await seen.until(lambda: seen.source().state == "up", "up")
        # Its machines tell it of themselves again one by one.
        await seen.until(lambda: len(seen.machines) == 3, "three machines again")


async def test_half_an_ad_is_half_a_machine(pool: CondorPool, reader: Path) -> None:
    half = (
        'MyType = "Machine"\nName = "slot1@half.pilot.test"\nMachine = "half.pilot.test"\n'
        'MyAddress = "<127.0.1.99:9618>"\nCpus = "many"\nMemory = 1/0\nState = 3\nActivity = undefined\n'
        'EnteredCurrentActivity = -5\nDrainReason = { "a" }\n'
    )
    pool.run("condor_advertise", "UPDATE_STARTD_AD", data=half)
    try:
        async with watching(settings_of(pool, reader)) as (_, seen):
            await seen.until(lambda: len(seen.machines) == 4, "four machines")
            machine = seen.machine("half")
            assert machine is not None
            assert (machine.state, machine.activity, machine.cpus, machine.memory) == ("?", "?", 0, 0)
            assert not machine.draining
            assert seen.source().state == "up"
            whole = seen.machine("compute-0-0")
            assert whole is not None
            assert whole.cpus == 4
    finally:
        query = 'MyType = "Query"\nTargetType = "Machine"\nRequirements = Name == "slot1@half.pilot.test"\n'
        pool.run("condor_advertise", "INVALIDATE_STARTD_ADS", data=query)
        pool.wait(3)


async def test_a_machine_that_leaves_is_gone(pool: CondorPool, reader: Path) -> None:
    pool.add("compute-0-9", 19)
    async with watching(settings_of(pool, reader)) as (_, seen):
        await seen.until(lambda: seen.machine("compute-0-9"), "the machine")
        os.kill(pool.daemon("condor_master", "compute-0-9"), signal.SIGTERM)
        await seen.until(lambda: seen.machine("compute-0-9") is None, "gone")
    pool.end("compute-0-9")


async def test_the_configuration_of_this_machine_is_not_read(
    pool: CondorPool, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDOR_CONFIG", "/nonexistent")
    monkeypatch.setenv("_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS", "KERBEROS")
    async with watching(settings_of(pool, reader)) as (_, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")


async def test_a_file_of_ads_is_as_good(pool: CondorPool, tmp_path: Path) -> None:
    file = tmp_path / "ads"
    status = await asyncio.to_thread(pool.run, "condor_status", "-long")
    file.write_text(status)
    async with watching(PoolSettings(POOL, file=str(file), every=1)) as (_, seen):
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        machine = seen.machine("compute-0-1")
        assert machine is not None
        assert (machine.cpus, machine.address, machine.instance) == (
            4, "127.0.1.11", "i-0123456789abcdef0",
        )  # fmt: skip
        source = seen.source("file")
        assert (source.pretended, source.good) == (True, file.stat().st_mtime)
        with pytest.raises(RefusedError, match="file of ads"):
            await CondorPools([PoolSettings(POOL, file=str(file))]).drain(machine, "x")


async def test_tokens_do_not_stay(
    pool: CondorPool, reader: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with watching(settings_of(pool, reader)) as (pools, seen):
        await seen.until(lambda: seen.machines, "machines")
        (copy,) = tmp_path.glob("rocks-pilot-pool-*/pilot")
        assert copy.stat().st_mode & 0o77 == 0
        assert copy.parent.stat().st_mode & 0o77 == 0
        pid = pools.watch(POOL).pid
    assert not list(tmp_path.iterdir())
    await until(lambda: not Path(f"/proc/{pid}").exists() or None, deadline=20, what="no process")
