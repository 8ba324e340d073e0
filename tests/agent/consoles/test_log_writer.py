"""The thread that writes what consoles print: nothing ends it but its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from pilot.agent.consoles import log_writer
from pilot.agent.consoles.log_files import OUTPUT, Run
from pilot.agent.consoles.log_writer import Writer

SECONDS = 20.0


class Paper:
    """A log whose disk can be made to hang."""

    def __init__(self) -> None:
        self.waiting = 0
        self.text = b""
        self.hanging, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def write(self, runs: list[Run]) -> None:
        self.hanging.set()
        assert self.go_on.wait(SECONDS)
        self.text += b"".join(run.data for run in runs)
        if b"bad" in self.text:
            raise ValueError("a bug")


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer(lambda: None, lambda _seconds, work: work())
    yield made
    assert made.close(SECONDS)


def printed(data: bytes) -> Run:
    return Run(0, 0.0, 0.0, OUTPUT, data)


async def test_who_gives_up_waiting_for_the_disk_does_not_stop_it(writer: Writer) -> None:
    paper = Paper()
    paper.go_on.clear()
    assert writer.put(paper, printed(b"one "))
    assert await asyncio.to_thread(paper.hanging.wait, SECONDS)
    impatient = asyncio.ensure_future(asyncio.wrap_future(writer.flush(paper)))
    assert writer.put(paper, printed(b"two"))
    impatient.cancel()
    await asyncio.wait([impatient])
    paper.go_on.set()
    async with asyncio.timeout(SECONDS):
        await asyncio.wrap_future(writer.flush(paper))
    assert paper.text == b"one two"
    assert paper.waiting == 0


async def test_trouble_with_one_log_is_not_that_of_the_others(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Paper(), Paper()
    assert writer.put(bad, printed(b"bad"))
    assert writer.put(good, printed(b"good"))
    async with asyncio.timeout(SECONDS):
        await asyncio.wrap_future(writer.flush(good))
    assert good.text == b"good"
    assert bad.waiting == good.waiting == 0
    assert "a bug" in caplog.text


async def test_who_floods_takes_no_room_from_who_does_not(writer: Writer) -> None:
    floods, calm = [Paper() for _ in range(10)], Paper()
    floods[0].go_on.clear()
    assert writer.put(floods[0], printed(b"the disk hangs"))
    assert await asyncio.to_thread(floods[0].hanging.wait, SECONDS)
    for flood in floods:
        while writer.put(flood, printed(b"x" * 65536)):
            pass
    while writer.put(floods[-1], printed(b"x")):
        pass
    assert sum(flood.waiting for flood in floods) <= log_writer.MOST + log_writer.LEAST_OF_ONE
    assert writer.put(calm, printed(b"login: "))
    assert not writer.put(calm, printed(b"y" * log_writer.LEAST_OF_ONE))
    floods[0].go_on.set()
    async with asyncio.timeout(SECONDS):
        await asyncio.wrap_future(writer.flush(calm))
    assert calm.text == b"login: "
