"""Pictures that are taken when they are asked for: shown, refused in words, taken again."""

from __future__ import annotations

import asyncio
from importlib import resources

from pilot.errors import RefusedError
from pilot.live.picture import PictureSession
from tests.support.waiting import until

GOOD = resources.files("pilot.demo.ec2").joinpath("screen.jpg").read_bytes()


async def test_taken_refused_and_taken_again() -> None:
    answers: list[bytes | Exception] = [
        GOOD,
        RefusedError("AWS does not let the site", "Ask the site's admin."),
        GOOD[:300],
        b"GIF89a",
        GOOD,
    ]
    taken = 0

    async def take() -> bytes:
        nonlocal taken
        answer = answers[taken]
        taken += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    session = PictureSession("ec2:i-1", "remote-0", take)
    running = asyncio.create_task(session.run())
    try:
        await until(lambda: session.state == "waiting", 30, "a picture")
        first = session.screen
        assert first is not None
        assert (first.width, first.height) == (720, 400)
        assert session.updated is not None
        for words in ("AWS does not let the site", "cut off or damaged", "no JPEG"):
            before = taken
            session.retry()
            await until(lambda before=before: taken > before and session.state == "ended", 30, words)
            assert words in session.why
            assert session.notices[-1].text.endswith(".")
            assert session.screen is first, "the last one that is known stays"
        session.retry()
        await until(lambda: session.screen is not first, 30, "another picture")
        assert (session.state, session.why, session.error) == ("waiting", "", None)
    finally:
        session.close()
        await asyncio.wait_for(running, 30)
    assert taken == len(answers)
