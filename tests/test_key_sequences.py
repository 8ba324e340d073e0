"""Named key sequences of app.toml: what their escapes stand for, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot.app_config import AppConfig, load
from pilot.client_config import ClientConfig
from pilot.errors import ConfigError
from pilot.key_sequences import typed


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("uptime\\r", b"uptime\r"),
        (r"\e[17~g^M", b"\x1b[17~g\r"),
        (r"^C^c^@^[^]^^^_^?", b"\x03\x03\x00\x1b\x1d\x1e\x1f\x7f"),
        (r"\x1b\xFFz", b"\x1b\xffz"),
        (r"\\r\^C", b"\\r^C"),
        (r"\n\t\b", b"\n\t\x08"),
        ("käse", "käse".encode()),
        ("", b""),
    ],
)
def test_escapes(text: str, data: bytes) -> None:
    assert typed(text) == data


@pytest.mark.parametrize("text", [r"\q", r"\x1", "\\", "^", "^1", r"\xzz", "^é"])
def test_what_stands_for_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="stands for no key"):
        typed(text)


def settings(folder: Path, text: str) -> AppConfig:
    (folder / "app.toml").write_text(text)
    return load(ClientConfig(folder))


def test_they_are_read_from_the_settings(tmp_path: Path) -> None:
    text = """
        [[sequence]]
        name = "log in"
        keys = ['root\\r', 'uptime\\r']
        wait = 2
        [[sequence]]
        name = "escape"
        keys = '\\e'
        confirm = true
    """
    login, escape = settings(tmp_path, text).sequence
    assert (login.pieces(), login.wait, login.confirm) == ([b"root\r", b"uptime\r"], 2.0, False)
    assert (escape.pieces(), escape.confirm) == ([b"\x1b"], True)
    assert login.written == r"root\r uptime\r"


@pytest.mark.parametrize(
    "lines",
    [
        'name = ""\nkeys = "x"',
        'name = "a"\nkeys = ""',
        'name = "a"\nkeys = []',
        'name = "a"\nkeys = "x"\nwait = 61',
        "name = \"a\"\nkeys = '\\q'",
        'name = "a"\nkeys = "x"\nloud = true',
        f'name = "a"\nkeys = "{"x" * 5000}"',
        f'name = "a"\nkeys = {["x"] * 65}',
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(ConfigError):
        settings(tmp_path, f"[[sequence]]\n{lines}\n")


def test_there_is_a_digit_for_each(tmp_path: Path) -> None:
    one = "[[sequence]]\nname = 'a'\nkeys = 'x'\n"
    assert len(settings(tmp_path, one * 10).sequence) == 10
    with pytest.raises(ConfigError, match="10 at most"):
        settings(tmp_path, one * 11)
