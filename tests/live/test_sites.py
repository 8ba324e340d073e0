"""Several sites: those that were looked at stay connected, so many and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from pilot.client_config import ClientConfig, Site
from pilot.errors import IdentityError, UsageError
from pilot.live import sites as sites_module
from pilot.live.connecting import Connecting
from pilot.live.sites import LiveSites
from tests.live.conftest import becomes
from tests.support.airboss import Airboss, Person
from tests.support.waiting import until


class Answers:
    """Answers questions, and keeps them."""

    def __init__(self, first_use: bool = True, passphrase: str | None = None) -> None:
        self.asked: list[str] = []
        self.accept = first_use
        self.secret = passphrase

    async def first_use(self, address: str, fingerprint: str) -> bool:
        self.asked.append(f"{address} {fingerprint}")
        return self.accept

    async def passphrase(self, path: Path) -> str | None:
        self.asked.append(f"passphrase {path.name}")
        return self.secret


@pytest.fixture
def config(boss: Airboss, ada: Person) -> ClientConfig:
    """Ada's, with three names for one airboss."""
    made = ClientConfig(ada.folder / "config")
    for name in ("one", "two", "three"):
        made.remember(Site(name, "127.0.0.1", boss.port, key=str(ada.key)))
    return made


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def sites(config: ClientConfig, answers: Answers) -> AsyncIterator[LiveSites]:
    made = LiveSites(config, Connecting(config, answers).to, config.find(None))
    yield made
    await made.close()


async def test_nothing_is_connected_before_it_starts(sites: LiveSites, answers: Answers) -> None:
    sites.switch("two")
    assert sites.current.name == "two"
    assert not answers.asked
    sites.start()
    await becomes(sites.current, "live")
    assert len(answers.asked) == 1
    assert sites.names() == ["one", "two", "three"]


async def test_those_that_were_looked_at_stay_connected(sites: LiveSites) -> None:
    told: list[str] = []
    sites.changed.listen(lambda: told.append(sites.current.name))
    sites.start()
    one = sites.current
    await becomes(one, "live")
    two = sites.switch("two")
    assert sites.current is two
    await becomes(two, "live")
    assert one.state == "live"
    assert sites.switch("one") is one
    assert sites.switch("one") is one
    assert told == ["two", "one"]
    with pytest.raises(UsageError, match="no site is called 'four'"):
        sites.switch("four")
    assert sites.current is one
    await sites.close()
    assert {one.state, two.state} == {"lost"}


async def test_the_one_not_looked_at_for_longest_gives_way(
    sites: LiveSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites_module, "CONNECTED", 2)
    sites.start()
    one = sites.current
    await becomes(one, "live")
    two = sites.switch("two")
    await becomes(two, "live")
    sites.switch("one")
    three = sites.switch("three")
    await becomes(three, "live")
    await becomes(two, "lost")
    assert one.state == "live"
    known = dict(two.store.records)
    assert known, "what was known stays"
    assert sites.switch("two") is two
    assert sites.switch("three") is three
    assert sites.switch("two") is two
    await becomes(two, "live")
    assert two.store.stale_since is None
    await becomes(one, "lost")


async def test_a_site_whose_key_is_not_taken_says_so_and_asks_again_when_told(
    sites: LiveSites, answers: Answers, config: ClientConfig, boss: Airboss
) -> None:
    answers.accept = False
    sites.start()
    site = sites.current
    await becomes(site, "refused")
    assert isinstance(site.error, IdentityError)
    assert "is not known yet" in site.error.message
    (asked,) = answers.asked
    assert asked.startswith(f"[127.0.0.1]:{boss.port} SHA256:")
    answers.accept = True
    site.retry()
    await becomes(site, "live")
    await boss.kill()
    await becomes(site, "lost")
    await boss.start()
    site.retry()
    await becomes(site, "live")
    assert len(answers.asked) == 2, "once it is pinned nobody asks"


async def test_a_passphrase_is_asked_for_once(
    sites: LiveSites, answers: Answers, boss: Airboss, ada: Person
) -> None:
    key = asyncssh.read_private_key(ada.key)
    ada.key.write_bytes(key.export_private_key(passphrase="sesame", rounds=16, ignore_few_rounds=True))
    answers.secret = None
    sites.start()
    site = sites.current
    await becomes(site, "refused")
    assert isinstance(site.error, IdentityError)
    assert answers.asked[1:] == ["passphrase id_ed25519"]
    answers.secret = "sesame"
    site.retry()
    await becomes(site, "live")
    await boss.kill()
    await becomes(site, "lost")
    await boss.start()
    site.retry()
    await becomes(site, "live")
    assert answers.asked[1:] == ["passphrase id_ed25519"] * 2


async def test_without_anybody_to_ask_nothing_is_taken_on_trust(config: ClientConfig) -> None:
    sites = LiveSites(config, Connecting(config).to, config.find("one"))
    sites.start()
    await becomes(sites.current, "refused")
    await until(lambda: not config.known_hosts.exists())
    await sites.close()
