"""Pools that are not as they should be, without any HTCondor."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pilot.backends.condor.provider import Bounds, CondorPools, PoolSettings
from pilot.config import KeyProblem
from tests.backends.condor.seen import POOL, Seen


@contextlib.asynccontextmanager
async def watching(settings: PoolSettings) -> AsyncIterator[Seen]:
    seen = Seen()
    pools = CondorPools([settings], bounds=Bounds(backoff_first=0.2, backoff_last=0.5))
    await pools.start(seen)
    try:
        yield seen
    finally:
        await pools.stop()


async def test_a_port_at_which_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with watching(PoolSettings(POOL, collector=f"127.0.0.1:{port}")) as seen:
            await seen.until(lambda: seen.source().state == "down", "down")
            assert seen.source().detail == "nothing listens at the collector's port"
            assert "Connection refused" in seen.source().words


async def test_a_name_that_is_not_known() -> None:
    async with watching(PoolSettings(POOL, collector="collector.invalid")) as seen:
        await seen.until(lambda: seen.source().state == "down", "down")
        assert seen.source().detail == "the collector's name is not known"


async def test_a_listener_that_never_answers() -> None:
    pytest.importorskip("htcondor2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with watching(PoolSettings(POOL, collector=f"127.0.0.1:{port}", deadline=1)) as seen:
            await seen.until(lambda: seen.source().state == "down", "down")
            assert seen.source().detail == "the collector accepts connections and does not answer"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(2000)])
async def test_a_listener_that_is_no_collector(said: bytes) -> None:
    pytest.importorskip("htcondor2")

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with watching(PoolSettings(POOL, collector=f"127.0.0.1:{port}", deadline=2)) as seen:
            await seen.until(lambda: seen.source().state == "down", "down")
            assert seen.source().words


def ad(name: str, **more: object) -> str:
    lines = {"MyType": '"Machine"', "Name": f'"{name}"', "State": '"Unclaimed"', "Cpus": 1, **more}
    return "".join(f"{key} = {value}\n" for key, value in lines.items()) + "\n"


async def test_a_file_is_read_again_when_it_changes_and_only_changes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "ads"
    file.write_text(ad("slot1@a.pilot.test") + ad("slot1@b.pilot.test"))
    async with watching(PoolSettings(POOL, file=str(file), every=1)) as seen:
        await seen.until(lambda: len(seen.machines) == 2, "two machines")
        assert seen.told == 2
        new = tmp_path / "new"
        new.write_text(ad("slot1@a.pilot.test", Cpus=8) + ad("slot1@c.pilot.test") + ad("slot1@b.pilot.test"))
        new.rename(file)
        await seen.until(lambda: len(seen.machines) == 3, "three machines")
        assert seen.told == 4
        file.write_text(ad("slot1@c.pilot.test"))
        await seen.until(lambda: [m.name for m in seen.machines] == ["c.pilot.test"], "one machine")
        file.unlink()
        await seen.until(lambda: seen.source("file").state == "down", "down")
        assert seen.source("file").detail == "the file of ads cannot be read"
        assert "No such file" in seen.source("file").words
        assert len(seen.machines) == 1


async def test_a_file_of_something_else(tmp_path: Path) -> None:
    file = tmp_path / "ads"
    file.write_bytes(b"\x00\xff\x7fELF = 1\n" * 1000)
    async with watching(PoolSettings(POOL, file=str(file), every=1)) as seen:
        await seen.until(lambda: seen.source("file").state == "down", "down")
        assert "no ads of slots" in seen.source("file").words


async def test_many_slots_come_a_few_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "ads"
    file.write_text("".join(ad(f"slot{n}@m{m}") for m in range(100) for n in range(1, 51)))
    async with watching(PoolSettings(POOL, file=str(file), every=1)) as seen:
        await seen.until(lambda: seen.source("file").state == "up", "up")
        assert sum(len(m.slots) for m in seen.machines) == 5000
        assert seen.largest <= 1050


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({}, "collector"),
        ({"collector": "x", "file": "/x"}, "collector"),
        ({"collector": "a b"}, "collector"),
        ({"collector": "cm:99999"}, "collector"),
        ({"collector": "cm", "cluster": "a/b"}, "cluster"),
        ({"file": "/ads", "admin_token": "/t"}, "file"),
        ({"collector": "cm", "admin_token": "/t", "drain_command": ("x",)}, "drain_command"),
        ({"collector": "cm", "ports": "9-3"}, "ports"),
        ({"name": "-", "collector": "cm"}, "name"),
    ],
)
def test_settings_that_cannot_be(more: dict[str, object], key: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        PoolSettings(**({"name": POOL} | more))  # type: ignore[arg-type]
    assert caught.value.key == key
