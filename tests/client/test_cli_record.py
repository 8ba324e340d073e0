"""`pilot record` and `pilot play ID` as they are run: real processes against the stand-in."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from pilot.asciicast import Reader
from pilot.errors import Exit
from tests.client.recorded import DATA, ID, Recorded
from tests.client.stand_in import StandIn, User
from tests.support.terminal import terminal


@pytest.fixture
def ada(user: User) -> User:
    """A user who knows the site."""
    user.pin()
    return user


@pytest.fixture
def recorded(airboss: StandIn) -> Recorded:
    """There is one recording."""
    has = Recorded(airboss)
    airboss.on_request = has.answer
    return has


async def test_verbs_are_asked_for_nodes(ada: User, airboss: StandIn) -> None:
    code, out, err = await ada.pilot("record", "start", "compute-0-0", "compute-0-1", "--input")
    assert (code, err) == (Exit.OK, "")
    assert "compute-0-1" in out
    assert (airboss.asked[-1].verb, airboss.asked[-1].args) == ("record.start", {"input": True})
    code, out, _ = await ada.pilot("record", "stop", "compute-0-0", "--json")
    assert (code, json.loads(out)["verb"]) == (Exit.OK, "record.stop")
    code, _, err = await ada.pilot("record", "read", "compute-0-0")
    assert (code, "invalid choice" in err) == (Exit.USAGE, True)


async def test_the_list(ada: User, recorded: Recorded) -> None:
    other = msgspec.structs.replace(recorded.recording, id="ff", name="evil\x1b[2J", ended=0.0, input=True)
    recorded.others = (other,)
    code, out, err = await ada.pilot("record", "list")
    assert (code, err) == (Exit.OK, "")
    heading, first, second = out.splitlines()
    assert heading.split() == ["ID", "NODE", "BY", "BEGAN", "LASTED", "SIZE", "ENDED"]
    assert first.split()[:3] == [ID, "compute-0-0", "ada"]
    assert "1:30" in first
    assert "ada ended it" in first
    assert "goes on, with what was typed" in second
    assert "\x1b" not in out
    _, out, _ = await ada.pilot("record", "list", "--json")
    assert [(one["id"], one["input"]) for one in json.loads(out)] == [(ID, False), ("ff", True)]


async def test_one_is_got_and_held_against_the_journal(ada: User, recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "one.cast"
    for wanted in (ID, ID[:6], "compute-0-0"):
        path.unlink(missing_ok=True)
        code, out, err = await ada.pilot("record", "get", wanted, "-o", str(path))
        assert (code, out) == (Exit.OK, "")
        assert f"As the journal has it sealed: all {len(DATA)} bytes" in err
        assert path.read_bytes() == DATA
        assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("mine")
    code, _, err = await ada.pilot("record", "get", ID, "-o", str(path))
    assert (code, path.read_text()) == (Exit.USAGE, "mine")
    assert "there is already" in err
    code, _, _ = await ada.pilot("record", "get", ID, "-o", str(path), "--force")
    assert (code, path.read_bytes()) == (Exit.OK, DATA)
    assert not list(tmp_path.glob(".pilot-*"))


async def test_it_gets_a_name_of_its_own(
    ada: User, recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.recording = msgspec.structs.replace(recorded.recording, name="../../etc/pass wd\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = await ada.pilot("record", "get", ID, "--json")
    assert code == Exit.OK
    said = json.loads(out)
    assert said["file"].startswith("etc_pass_wd-20")
    assert said["file"].endswith("-ab12cd34.cast")
    assert said["as_recorded"] is True
    assert (tmp_path / said["file"]).read_bytes() == DATA


async def test_for_older_players(ada: User, recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "one.cast"
    code, _, _ = await ada.pilot("record", "get", ID, "--format", "v2", "-o", str(path))
    assert code == Exit.OK
    with path.open("rb") as file:
        reader = Reader(file)
        assert (reader.header.version, reader.header.title) == (2, "compute-0-0")
        assert [(event.time, event.code) for event in reader] == [(0.5, "o"), (1.0, "m"), (1.5, "o")]


async def test_stock_asciinema_plays_the_form_for_older_players(
    ada: User, recorded: Recorded, tmp_path: Path
) -> None:
    player = shutil.which("asciinema")
    if player is None:
        pytest.fail("asciinema is not installed: `make test` installs it, deploy/debian-test.txt names it")
    path = tmp_path / "one.cast"
    await ada.pilot("record", "get", ID, "--format", "v2", "-o", str(path))
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", "HOME": str(tmp_path)}
    for words in (["cat", str(path)], ["play", "-s", "100", str(path)]):
        run = ("-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", player, *words)
        async with terminal(run, environment) as shown:
            assert await shown.ends(60) == 0
            assert "SeaBIOS\r\n\x1b[32mlogin:\x1b[m é".encode() in shown.written


async def test_to_standard_output(ada: User, recorded: Recorded) -> None:
    code, out, err = await ada.pilot("record", "get", ID, "-o", "-")
    assert (code, out.encode()) == (Exit.OK, DATA)
    assert "As the journal has it sealed" in err


@pytest.mark.parametrize("tamper", ["altered", "cut", "longer", "no seals"])
async def test_one_that_differs_is_kept_and_said(
    ada: User, recorded: Recorded, tmp_path: Path, tamper: str
) -> None:
    data, path = DATA, tmp_path / "one.cast"
    if tamper == "altered":
        data = DATA.replace(b"login", b"admin")
    elif tamper == "cut":
        data = DATA[:-5]
    elif tamper == "longer":
        data = DATA + b'[1, "o", "more"]\n'
    else:
        recorded.journal = recorded.journal[:2]
    recorded.data = data
    recorded.recording = msgspec.structs.replace(recorded.recording, size=len(data))
    code, _, err = await ada.pilot("record", "get", ID, "-o", str(path))
    assert code == Exit.FAILED
    assert "Not what was recorded: " in err
    assert {"altered": "are not what was sealed", "cut": "the file ends at", "longer": "goes on"}.get(
        tamper, "no seal"
    ) in err
    assert "pilot-agent journal verify" in err
    assert path.read_bytes() == data


async def test_one_that_goes_on(ada: User, airboss: StandIn, tmp_path: Path) -> None:
    recorded = Recorded(airboss, ended=False)
    airboss.on_request = recorded.answer
    # What was sealed after it was read is no concern of this file's.
    half = len(DATA) // 2
    recorded.recording = msgspec.structs.replace(recorded.recording, size=half)
    recorded.data = DATA[:half]
    code, _, err = await ada.pilot("record", "get", ID, "-o", str(tmp_path / "one.cast"))
    assert code == Exit.OK
    assert f"Goes on; its {half} bytes so far are as the journal has them sealed" in err


async def test_who_may_not_read_the_journal_is_told_so(ada: User, recorded: Recorded, tmp_path: Path) -> None:
    recorded.reads_journal = False
    code, _, err = await ada.pilot("record", "get", ID, "-o", str(tmp_path / "one.cast"))
    assert code == Exit.OK
    assert "Not checked: only owners read the journal" in err


async def test_one_that_breaks_off_is_not_kept(ada: User, recorded: Recorded, tmp_path: Path) -> None:
    recorded.cut = 10
    code, _, err = await ada.pilot("record", "get", ID, "-o", str(tmp_path / "one.cast"))
    assert code == Exit.UNREACHABLE
    assert "10 bytes before its end" in err
    assert not (tmp_path / "one.cast").exists()


async def test_which_one_must_be_clear(ada: User, recorded: Recorded) -> None:
    recorded.others = (msgspec.structs.replace(recorded.recording, id=f"{ID[:8]}00000000"),)
    code, _, err = await ada.pilot("record", "get", ID[:4])
    assert (code, "2 recordings begin with" in err) == (Exit.USAGE, True)
    code, _, err = await ada.pilot("record", "get", "nothing")
    assert (code, "there is no recording 'nothing'" in err) == (Exit.REFUSED, True)


async def test_play_by_id(ada: User, recorded: Recorded) -> None:
    code, out, err = await ada.pilot("play", ID, "--print")
    assert (code, err) == (Exit.OK, "")
    assert out.startswith("SeaBIOS\n\x1b[32mlogin:\x1b[m é ") or "login:" in out
    assert "owned" not in out
    recorded.data = DATA.replace(b"login", b"admin")
    code, out, err = await ada.pilot("play", ID[:8], "--print")
    assert "Not what was recorded" in err
