"""The user's own keys, as app.toml has them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pilot import keymap
from pilot.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("m", "m"),
        ("m,space", "m,space"),
        ("f5 , pagedown", "f5,pagedown"),
        ("]", "right_square_bracket"),
        ("ctrl+]", "ctrl+right_square_bracket"),
        ("ctrl+t", "ctrl+t"),
        ("alt+:", "alt+colon"),
        (",", "comma"),
    ],
)
def test_keys_are_read_as_they_are_written(written: str, read: str) -> None:
    assert keymap.read({"console.release": written}).keymap == {"console.release": read}
    assert keymap.release_key({"console.release": written}, "ctrl+x") == read.split(",")[0]


def test_the_usual_key_leaves_a_guest_where_no_other_is_set() -> None:
    assert keymap.release_key({}, "ctrl+x") == "ctrl+x"


@pytest.mark.parametrize(
    ("name", "key"), [("nodes.mrk", "m"), ("table.mark", "hyper+q+"), ("table.mark", "")]
)
def test_what_is_no_action_or_no_key_is_said(name: str, key: str) -> None:
    with pytest.raises(ConfigError):
        keymap.read({name: key})


def test_a_key_that_another_action_had_is_said() -> None:
    assert "no longer nodes.console" in keymap.read({"table.mark": "c"}).lost


def test_keys_of_ones_own_bring_no_pictures_with_them() -> None:
    code = (
        "import sys; from pilot import keymap; keymap.read({'screen.save': 'f2'}); "
        "sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
