"""What the pretended EC2 can be told to do wrong, as the real one does."""

from __future__ import annotations

import asyncio

from pilot.demo.ec2.answers import Answer, error


class Trouble:
    """What is wrong just now, by region."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        """Regions that accept and never answer."""
        self.throttled: dict[str, int] = {}
        """How many more calls are refused as too many."""
        self.half: set[str] = set()
        """Regions that send half of an answer, and call it whole."""
        self.odd: set[str] = set()
        """Regions that answer with a web page."""
        self.broken: set[str] = set()
        """Regions that have a fault of their own."""
        self.clock = 0.0
        """Seconds that AWS's clock is ahead."""
        self.denied: set[tuple[str, str]] = set()
        """Actions that are not allowed: the action, and an instance or `*`."""
        self.fates: dict[str, tuple[str, str, str]] = {}
        """States that instances are in whatever moto says: state, the reason's code, its words."""
        self._over = asyncio.Event()

    def end(self) -> None:
        """Let go whoever hangs."""
        self._over.set()

    def denies(self, action: str, form: dict[str, str], instance_id: str) -> bool:
        """Whether an action may not be done with an instance."""
        if action == "StopInstances" and form.get("Hibernate") == "true":
            action = "HibernateInstances"
        return (action, instance_id) in self.denied or (action, "*") in self.denied

    async def answer(self, region: str, action: str, *, as_json: bool) -> Answer | None:
        """What is answered instead; None if nothing is wrong."""
        if region in self.hangs:
            await self._over.wait()
        if self.throttled.get(region, 0) > 0:
            self.throttled[region] -= 1
            code = "ThrottlingException" if as_json else "RequestLimitExceeded"
            return error(400 if as_json else 503, code, "Request limit exceeded.", as_json=as_json)
        if region in self.broken:
            return error(500, "InternalError", "An internal error has occurred", as_json=as_json)
        if region in self.odd:
            return 200, "text/html", b"<!doctype html><title>Log in to the hotel's network</title>"
        return None

    def spoiled(self, region: str, action: str, answer: Answer) -> Answer:
        """The answer, or half of it."""
        if region in self.half and action == "DescribeInstances":
            return answer[0], answer[1], answer[2][: len(answer[2]) // 2]
        return answer
