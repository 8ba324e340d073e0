"""/etc/rocks-pilot/agent.toml."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from pilot.agent.settings import Limits, Settings, load_settings, parse_address
from pilot.backends.condor.settings import PoolSettings
from pilot.backends.ec2.settings import Ec2Settings
from pilot.config import parse_toml
from pilot.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "deploy" / "agent.toml"


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return load_settings(path)


def test_little_is_needed(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[site]\nname = "x"\n')
    assert settings.state == Path("/var/lib/rocks-pilot")
    assert settings.database_url == "sqlite:////var/lib/rocks-pilot/rocks-pilot.db"
    assert [str(address) for address in settings.addresses] == ["0.0.0.0:8677", "[::]:8677"]
    assert settings.warnings
    assert settings.revoked is None
    assert not settings.policy.ssh_power


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[site]\nname = "x"\nstate = "s"\n[signers]\nrevoked = "r"\n')
    assert settings.state == tmp_path / "s"
    assert settings.revoked == tmp_path / "r"
    assert settings.host_key.parent == tmp_path / "s"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 'site' is missing"),
        ('[site]\nname = "a b"\n', "line 2: key 'site.name'"),
        (
            '[site]\nname = "x"\nlisten = ["1.2.3.4"]\n',
            "line 3: key 'site.listen': '1.2.3.4' is not address:port",
        ),
        ('[site]\nname = "x"\nlisten = ["a:70000"]\n', "line 3: key 'site.listen'.*port"),
        ('[site]\nname = "x"\nlisten = []\n', "line 3: key 'site.listen'"),
        (
            '[site]\nname = "x"\n[[host]]\nname="a"\nuri="q:///s"\n[[host]]\nname="a"\nuri="q:///t"\n',
            "line 3: key 'host': two hosts are called 'a'",
        ),
        ('[site]\nname = "x"\n[[host]]\nname="a"\nuri="/dev/null"\n', r"line 5: key 'host\[1\].uri'"),
        ('[site]\nname = "x"\n[limits]\nconnections = 0\n', "line 4: key 'limits.connections'"),
    ],
)
def test_errors(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _load(tmp_path, text)


def test_addresses() -> None:
    assert parse_address("[fe80::1%eth0]:0").host == "fe80::1%eth0"
    for wrong in ("", ":1", "a:", "::1:80", "[::1]", "a b:1"):
        with pytest.raises(ValueError, match="address:port"):
            parse_address(wrong)


def test_the_sample_is_right_and_shows_every_key_with_its_default() -> None:
    text = SAMPLE.read_text()
    plain = parse_toml(text.encode(), Settings, "agent.toml")
    # The first commented value of a key is its default.
    shown = "\n".join(re.sub(r"^# (?=[a-z_]+ = )", "", line) for line in text.splitlines())
    shown = re.sub(r'^url = "postgresql.*$', "", shown, flags=re.MULTILINE)
    shown = re.sub(r"^# \[\[(host|pool|ec2)\]\]\n(.+\n)+", "", shown, flags=re.MULTILINE)
    assert parse_toml(shown.encode(), Settings, "agent.toml") == plain
    for struct in (
        Limits,
        type(plain.site),
        type(plain.database),
        type(plain.policy),
        type(plain.signers),
        PoolSettings,
        Ec2Settings,
    ):
        for field in msgspec.structs.fields(struct):
            assert re.search(rf"^(# )?{field.name} = ", text, re.MULTILINE), field.name
