"""Configuration errors name file, line and key."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.config import KeyProblem, load_toml, parse_toml
from pilot.errors import ConfigError


class _Host(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    uri: str = ""

    def __post_init__(self) -> None:
        if " " in self.uri:
            raise KeyProblem("uri", "a URI has no spaces")


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    grace: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    listen: tuple[str, ...] = ()


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    host: tuple[_Host, ...] = ()
    limits: _Limits = msgspec.field(default_factory=_Limits)
    tags: dict[str, int] = {}


def _error(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text.encode(), _Root, "agent.toml")
    return caught.value


def test_good() -> None:
    root = parse_toml(b'[[host]]\nname = "a"\n[limits]\ngrace = 3\n', _Root, "x")
    assert (root.host[0].name, root.limits.grace) == ("a", 3.0)


@pytest.mark.parametrize(
    ("text", "begins", "hint"),
    [
        ('[limits]\n\n# why\ngrace = "x"\n', "agent.toml, line 4: key 'limits.grace': expected a number", ""),
        ("[limits]\ngrace = -1\n", "agent.toml, line 2: key 'limits.grace': expected", ""),
        (
            "[limits]\ngrcae = 1\n",
            "agent.toml, line 2: key 'limits.grcae': there is no",
            "Did you mean 'grace'?",
        ),
        ("[limit]\n", "agent.toml, line 1: key 'limit': there is no", "Did you mean 'limits'?"),
        ("zzz = 1\n", "agent.toml, line 1: key 'zzz': there is no", "Known here: host, limits, tags."),
        (
            '[[host]]\nname="a"\n\n[[host]]\nuri="b"\n',
            "agent.toml, line 4: key 'host[2].name' is missing",
            "",
        ),
        (
            '[[host]]\nname="a"\n[[host]]\nname="b"\nuri="b c"',
            "agent.toml, line 5: key 'host[2].uri': a URI",
            "",
        ),
        (
            '[limits]\nlisten = [\n "a",\n 3,\n]\n',
            "agent.toml, line 2: key 'limits.listen[2]': expected a text in quotes",
            "",
        ),
        ('limits.grace = """\nx\n"""\n', "agent.toml, line 1: key 'limits.grace'", ""),
        ("[limits]\ngrace = \n", "agent.toml, line 2, key 'grace': invalid value", ""),
        ("[limits]\ngrace = 1\ngrace = 2\n", "agent.toml, line 3, key 'grace': cannot overwrite", ""),
        ('[limits]\nlisten = ["a"', "agent.toml, line 2, key 'listen': unclosed array", ""),
        ("[tags]\na = 1\nb = 'x'\n", "agent.toml, line 1: key 'tags'", ""),
    ],
)
def test_errors_name_the_place(text: str, begins: str, hint: str) -> None:
    error = _error(text)
    assert error.message.startswith(begins)
    assert hint in error.hint


def test_not_utf8() -> None:
    with pytest.raises(ConfigError, match=r"x, line 2: not UTF-8"):
        parse_toml(b"a = 1\nb = '\xff'\n", _Root, "x")


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        load_toml(tmp_path / "none.toml", _Root, "make one")
    assert caught.value.hint == "make one"
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_toml(tmp_path, _Root)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_settings_or_a_config_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_toml(data, _Root, "x"), _Root)


@given(blank=st.integers(0, 5), before=st.lists(st.sampled_from(["# c", "", "tags.a{} = 1"]), max_size=6))
def test_the_line_is_right_wherever_the_key_is(blank: int, before: list[str]) -> None:
    lines = [line.format(number) for number, line in enumerate(before)] + [""] * blank
    text = "\n".join([*lines, "limits.grace = true", "[[host]]", 'name = "z"'])
    # Blank lines and comments in front of a statement are no part of it.
    assert f"line {len(lines) + 1}:" in _error(text).message
