"""What is heard of trouble, whatever is on the screen."""

from __future__ import annotations

import os
import signal

import pytest

from pilot.app_config import Alert, AppConfig
from pilot.screens import alerts
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LOOK_SECONDS", 0.1)


class Heard:
    """What the app sends to the terminal beside its frames."""

    def __init__(self, pilot: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        driver = pilot.app._driver
        assert driver is not None
        monkeypatch.setattr(driver, "write", self.said.append)
        # Without a terminal the app rings nothing.
        monkeypatch.setattr(pilot.app, "bell", lambda: self.said.append("rings"))

    @property
    def text(self) -> str:
        return "".join(self.said)


@pytest.mark.parametrize(("alert", "sign"), [("bell", "rings"), ("desktop", "\x1b]9;Rocks Pilot: one: ")])
async def test_a_host_that_is_lost_is_heard_of_once(
    boss: Airboss, ada: Person, fleet: Pretended, alert: Alert, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(knows(ada, boss), AppConfig(alert=alert)) as pilot:
        await pilot.live(NODES)
        heard = Heard(pilot, monkeypatch)
        await pilot.go("journal")
        assert sign not in heard.text
        assert fleet.host.pid is not None
        os.kill(fleet.host.pid, signal.SIGKILL)
        await until(lambda: sign in heard.text, 60, "heard")
        await pilot.go("overview")
        await pilot.sees("▲ silent")
        assert heard.text.count(sign) == 1
    if alert == "desktop":
        assert "\x1b]777;notify;Rocks Pilot: one;fleet silent: " in heard.text


async def test_without_the_setting_nothing_is_heard(
    boss: Airboss, ada: Person, fleet: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        heard = Heard(pilot, monkeypatch)
        assert fleet.host.pid is not None
        os.kill(fleet.host.pid, signal.SIGKILL)
        await pilot.go("overview")
        await pilot.sees("▲ silent")
        assert "rings" not in heard.text
        assert "]9;" not in heard.text


def test_names_cannot_end_a_notification() -> None:
    said = alerts.notification("a\x1b]0;x\a", "b;c\n\x9cd")
    assert said.count("\x1b") == 2
    assert said.count("\a") == 2
    assert "\x9c" not in said
    assert said.split("\a")[1].count(";") == 3
