"""`pilot-agent check` finds each of the things that go wrong, and says how to mend it."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest

from keys.hostkey import load_or_create
from pilot.agent.main import main
from pilot.errors import Exit
from tests.support.airboss import Airboss, free_port

Check = Callable[[], tuple[int, list[tuple[str, str, str, str]]]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    (tmp_path / "state").mkdir(mode=0o750)
    (tmp_path / "agent.toml").write_text(_config(free_port()))

    def check() -> tuple[int, list[tuple[str, str, str, str]]]:
        code = main(["check", "--json", "--deadline", "1", "--config", str(tmp_path / "agent.toml")])
        data = json.loads(capsys.readouterr().out)
        return code, [(one["level"], one["what"], one["text"], one["hint"]) for one in data]

    return check


def _config(port: int) -> str:
    return f'[site]\nname = "test"\nstate = "state"\nlisten = ["127.0.0.1:{port}"]\n'


def _admin(tmp_path: Path, *words: object) -> None:
    assert main([*map(str, words), "--config", str(tmp_path / "agent.toml")]) == 0


def _level(found: list[tuple[str, str, str, str]], what: str, text: str = "") -> str:
    levels = [one[0] for one in found if one[1] == what and text in one[2]]
    assert levels, found
    return levels[0]


def test_looking_makes_nothing(tmp_path: Path, check: Check) -> None:
    (tmp_path / "state").rmdir()
    code, found = check()
    assert code == 0
    assert _level(found, "state folder", "not there yet") == "warn"
    assert _level(found, "database", "not there yet") == "warn"
    assert not (tmp_path / "state").exists()


def test_a_good_one(tmp_path: Path, check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="root")
    (tmp_path / "a.pub").write_bytes(key.export_public_key())
    _admin(tmp_path, "cluster", "add", "vi-1")
    _admin(tmp_path, "key", "add", "vi-1", tmp_path / "a.pub")
    _admin(tmp_path, "key", "add", "--site", tmp_path / "a.pub")
    capsys.readouterr()
    own = load_or_create(tmp_path / "state" / "host_key")
    code, found = check()
    assert code == 0
    assert _level(found, "host key", own.get_fingerprint()) == "ok", "what users compare at their first login"
    for what in ("configuration", "state folder", "database", "clusters"):
        assert "ok" in [one[0] for one in found if one[1] == what]
    assert all(hint for level, _, _, hint in found if level != "ok")


def test_configuration(tmp_path: Path, check: Check) -> None:
    (tmp_path / "agent.toml").write_text("[site]\nnmae = 'x'\n")
    code, [(level, _, text, hint)] = check()
    assert (code, level) == (Exit.FAILED, "fail")
    assert "agent.toml, line 2: key 'site.nmae'" in text
    assert hint == "Did you mean 'name'?"


def test_modes_and_owners(tmp_path: Path, check: Check) -> None:
    state = tmp_path / "state"
    (state / "host_key").write_text("x")
    (state / "host_key").chmod(0o644)
    state.chmod(0o755)
    code, found = check()
    assert code == Exit.FAILED
    assert _level(found, "host key", "can be read by others (mode 644)") == "fail"
    assert _level(found, "state folder", "open to everybody (mode 755)") == "fail"
    (state / "host_key").chmod(0o600)
    state.chmod(0o750)
    assert _level(check()[1], "host key", "is no private key") == "fail"
    if os.geteuid() == 0:
        os.chown(state / "host_key", 65534, -1)
        _, found = check()
        assert _level(found, "state folder", "host_key in") == "fail"
        assert _level(found, "host key") == "fail"


def test_the_port(tmp_path: Path, check: Check) -> None:
    _, found = check()
    assert _level(found, "port", "is free: airboss does not run") == "warn"
    assert "systemctl start rocks-pilot" in [hint for _, what, _, hint in found if what == "port"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "agent.toml").write_text(_config(server.getsockname()[1]))

        def greet() -> None:
            peer, _ = server.accept()
            peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            peer.close()

        threading.Thread(target=greet, daemon=True).start()
        code, found = check()
        assert code == Exit.FAILED
        assert _level(found, "port", "held by another program") == "fail"
    (tmp_path / "agent.toml").write_text(_config(free_port()).replace("127.0.0.1", "192.0.2.1"))


async def test_a_living_airboss_holds_its_port(tmp_path: Path) -> None:
    airboss = Airboss(tmp_path, {})
    await airboss.start()
    try:
        found = json.loads(await airboss.admin("check", "--json"))
    finally:
        await airboss.stop()
    assert [one["level"] for one in found if one["what"] == "port"] == ["ok"]
    assert [one["level"] for one in found if one["what"] == "host key"] == ["ok"]
    assert "fail" not in [one["level"] for one in found]


def test_databases_that_cannot_be_used(tmp_path: Path, check: Check) -> None:
    (tmp_path / "state" / "rocks-pilot.db").write_text("nonsense " * 1000)
    code, found = check()
    assert code == Exit.FAILED
    assert _level(found, "database", "damaged, or no SQLite database") == "fail"


def test_time_and_interrupted_work(tmp_path: Path, check: Check) -> None:
    _admin(tmp_path, "cluster", "add", "vi-1")
    raw = sqlite3.connect(tmp_path / "state" / "rocks-pilot.db")
    raw.execute("UPDATE journal SET time = ?, kind = 'intent'", (int((time.time() - 7200) * 1e6),))
    raw.commit()
    _, found = check()
    assert _level(found, "journal", "1 intents of more than an hour ago have no outcome") == "warn"
    raw.execute("UPDATE journal SET time = ?", (int((time.time() + 7200) * 1e6),))
    raw.commit()
    raw.close()
    code, found = check()
    assert code == Exit.FAILED
    assert _level(found, "clock", "which is to come") == "fail"


def test_keys_that_end(tmp_path: Path, check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    _admin(tmp_path, "cluster", "add", "vi-1")
    for name, end in (("old", "20200101"), ("soon", "+3d"), ("fine", "+300d")):
        key = asyncssh.generate_private_key("ssh-ed25519", comment=name)
        (tmp_path / f"{name}.pub").write_bytes(key.export_public_key())
        _admin(tmp_path, "key", "add", "vi-1", tmp_path / f"{name}.pub", "--valid-before", end)
    capsys.readouterr()
    _, found = check()
    assert _level(found, "key of old in vi-1", "expired on 2020") == "warn"
    assert _level(found, "key of soon in vi-1", "expires on") == "warn"
    assert not [one for one in found if "fine" in one[1]]


def test_a_revocation_list_that_cannot_be_read(tmp_path: Path, check: Check) -> None:
    _admin(tmp_path, "cluster", "add", "vi-1")
    with (tmp_path / "agent.toml").open("a") as file:
        file.write('[signers]\nrevoked = "revoked"\n')
    code, found = check()
    assert code == Exit.FAILED
    assert any(level == "fail" and "revoked" in text for level, _, text, _ in found)


def test_a_host_that_says_nothing_is_given_up(tmp_path: Path, check: Check) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with (tmp_path / "agent.toml").open("a") as file:
            file.write(f'[[host]]\nname = "a"\nuri = "qemu+unix:///system?socket={path}"\n')
        code, found = check()
    assert code == Exit.FAILED
    assert _level(found, "host a", "no answer within 1 s") == "fail"
