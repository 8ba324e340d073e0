"""`pilot-agent cluster|key|journal`, as typed."""

from __future__ import annotations

import io
import json
import os
import pwd
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import signers, sshsig
from pilot import wire
from pilot.agent.admin.times import parse_date, show_date
from pilot.agent.main import main
from pilot.errors import Exit, UsageError

ROOT = Path(__file__).parents[2]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    config = tmp_path / "agent.toml"
    config.write_text('[site]\nname = "test"\nstate = "state"\n')

    def run(*words: object, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main([str(word) for word in (*words, "--config", config)])
        return code, *capsys.readouterr()

    return run


def _pub(folder: Path, name: str, comment: str | None = None) -> Path:
    key = asyncssh.generate_private_key("ssh-ed25519", comment=name if comment is None else comment)
    path = folder / f"{name}.pub"
    path.write_bytes(key.export_public_key())
    return path


def test_clusters(run: Run) -> None:
    assert run("cluster", "add", "vi-1", "--vlan", 3, "--protected")[0] == 0
    code, out, _ = run("cluster", "list")
    assert code == 0
    assert out.split("\n")[1].split()[:4] == ["vi-1", "3", "yes", "0"]
    [cluster] = json.loads(run("cluster", "list", "--json")[1])
    assert (cluster["name"], cluster["vlan"], cluster["protected"]) == ("vi-1", 3, True)
    code, out, err = run("cluster", "remove", "vi-2")
    assert (code, out) == (Exit.USAGE, "")
    assert err == "Usage: there is no cluster 'vi-2'\n  There are: vi-1.\n"
    code, _, err = run("cluster", "remove", "vi-1")
    assert code == 0
    assert "VMs run on untouched" in err


def test_keys_from_files_and_stdin(run: Run, tmp_path: Path) -> None:
    run("cluster", "add", "vi-1")
    alice, bob, carol = (_pub(tmp_path, name) for name in ("alice", "bob@host", "carol"))
    code, out, err = run("key", "add", "vi-1", "--role", "viewer", alice, "--valid-before", "+30d")
    assert (code, out) == (0, "")
    assert err.startswith("added: alice SHA256:")
    text = f'# ours\n\n{bob.read_text()}\n*@vi-1 cert-authority,valid-before="20390101Z" {carol.read_text()}'
    assert run("key", "add", "vi-1", stdin=text)[0] == 0
    entries = json.loads(run("key", "list", "--json")[1])
    assert [(e["principal"], e["role"], e["cert_authority"]) for e in entries] == [
        ("alice", "viewer", False),
        ("bob@host", "owner", False),
        ("*@vi-1", "owner", True),
    ]
    assert entries[0]["valid_before"] == pytest.approx(time.time() + 30 * 86400, abs=60)
    assert {e["added_by"] for e in entries} == {pwd.getpwuid(os.getuid()).pw_name}
    # Adding again with another role updates; nothing is said twice.
    assert run("key", "add", "vi-1", alice, "--role", "operator")[2].startswith("updated: alice")
    assert run("key", "add", "vi-1", alice, "--role", "operator")[2].startswith("unchanged: alice")
    assert len(json.loads(run("key", "list", "vi-1", "--json")[1])) == 3

    assert run("key", "remove", "vi-1", "bob@host")[0] == 0
    assert run("key", "remove", "vi-1", alice, entries[2]["fingerprint"])[0] == 0
    assert json.loads(run("key", "list", "--json")[1]) == []
    code, _, err = run("key", "remove", "vi-1", alice)
    assert (code, "nothing was removed" in err) == (Exit.USAGE, True)
    verbs = [json.loads(line)["verb"] for line in run("journal", "show", "--json")[1].splitlines()]
    assert verbs == ["cluster.add"] + ["key.add"] * 4 + ["key.remove"] * 3


def test_site_keys(run: Run, tmp_path: Path) -> None:
    admin = _pub(tmp_path, "root@frontend")
    assert run("key", "add", "--site", admin)[0] == 0
    [entry] = json.loads(run("key", "list", "--site", "--json")[1])
    assert (entry["cluster"], entry["role"]) == ("*", "admin")
    assert run("key", "remove", "--site", "root@frontend")[0] == 0


def test_an_authority_certifies_a_list_of_patterns(run: Run, tmp_path: Path) -> None:
    run("cluster", "add", "vi-1")
    add = ("key", "add", "vi-1", _pub(tmp_path, "ca"), "--principal", "ada,hpc-*")
    assert run(*add)[0] == Exit.USAGE, "a plain key is of one person"
    code, _, err = run(*add, "--cert-authority")
    assert code == 0, err
    [entry] = json.loads(run("key", "list", "--json")[1])
    assert entry["principals"] == ["ada", "hpc-*"]
    line = signers.parse_line(entry["line"])
    fits = {name: signers.principal_fits(line, name) for name in ("ada", "hpc-7", "bob")}
    assert fits == {"ada": True, "hpc-7": True, "bob": False}
    given = f"someone cert-authority {_pub(tmp_path, 'other').read_text()}"
    assert run("key", "add", "vi-1", "--principal", "eve,x-*", stdin=given)[0] == 0
    lists = [one["principals"] for one in json.loads(run("key", "list", "--json")[1])]
    assert ["eve", "x-*"] in lists
    assert run(*add[:-1], "ada,,", "--cert-authority")[0] == Exit.USAGE


@pytest.mark.parametrize("module", ["sqlalchemy", "alembic", "libvirt"])
def test_a_client_alone_is_told_what_to_install(module: str, tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('[site]\nname = "test"\nstate = "state"\nlisten = ["127.0.0.1:0"]\n')
    program = "import sys; sys.modules[sys.argv[1]] = None; import pilot.agent.main as m"
    program += "; sys.exit(m.main(sys.argv[2:]))"
    words = ["serve", "--config", str(tmp_path / "agent.toml")]
    ended = subprocess.run(
        [sys.executable, "-c", program, module, *words], capture_output=True, text=True, timeout=30, cwd=ROOT
    )
    assert ended.returncode == Exit.USAGE
    assert "rocks-pilot[agent]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    codes = capsys.readouterr().out.partition("exit codes:")[2]
    assert {int(number) for number in re.findall(r"\d+", codes)} == {int(code) for code in Exit}


def test_allowed_signers_are_for_stock_ssh_keygen(run: Run, tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="alice")
    (tmp_path / "a.pub").write_bytes(key.export_public_key())
    run("cluster", "add", "vi-1")
    run("key", "add", "vi-1", tmp_path / "a.pub", "--valid-before", "+1d")
    (tmp_path / "allowed").write_text(run("key", "list", "--allowed-signers")[1])
    (tmp_path / "sig").write_text(sshsig.armor(sshsig.make(key, b"request", wire.REQUEST_NAMESPACE)))
    for namespace, code in ((wire.REQUEST_NAMESPACE, 0), ("file", 255)):
        checked = subprocess.run(
            [
                "ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", "alice",
                "-n", namespace, "-s", tmp_path / "sig",
            ],
            input=b"request", capture_output=True, timeout=10,
        )  # fmt: skip
        assert checked.returncode == code, checked.stderr


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("{alice}\nssh-ed25519 AAAA x\n", (), "stdin, line 2: "),
        ("", (), "there is no key in what was given"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", (), "stdin: this is a private key"),
        ("{nameless}", (), "does not say whose it is"),
        ("{alice}", ("--cert-authority",), "stdin, line 1: an authority needs --principal"),
        ('x namespaces="file" {alice}', (), "line 1: the line's namespaces leave out request@"),
        ("{alice}", ("--valid-before", "soon"), "'soon' is not a date"),
        ("{alice}", ("--valid-before", "20300101", "--valid-after", "20310101"), "not later than"),
        ("{alice}", ("--role", "admin"), "role admin is the site's"),
    ],
)
def test_wrong_keys_are_named(
    run: Run, tmp_path: Path, text: str, words: tuple[str, ...], message: str
) -> None:
    run("cluster", "add", "vi-1")
    alice, nameless = _pub(tmp_path, "alice").read_text(), _pub(tmp_path, "nameless", "").read_text()
    text = text.format(alice=alice.strip(), nameless=nameless.strip())
    code, out, err = run("key", "add", "vi-1", *words, stdin=text)
    assert (code, out) == (Exit.USAGE, "")
    assert message in err
    assert json.loads(run("key", "list", "--json")[1]) == []


def test_expired_keys_are_taken_and_said(run: Run, tmp_path: Path) -> None:
    run("cluster", "add", "vi-1")
    assert (
        "expired already" in run("key", "add", "vi-1", _pub(tmp_path, "a"), "--valid-before", "20200101")[2]
    )
    assert "expired 2020" in run("key", "list")[1]


def test_journal_show_and_verify(run: Run) -> None:
    for number in range(4):
        run("cluster", "add", f"vi-{number}")
    code, out, _ = run("journal", "show", "--limit", 2)
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["3", "4"])
    assert "vi-3 cluster.add added" in out
    assert len(run("journal", "show", "--cluster", "vi-1", "--since", "1h")[1].splitlines()) == 1
    assert run("journal", "show", "--until", "1h")[1] == ""
    code, out, err = run("journal", "verify")
    assert (code, out.split("\n")[0], err) == (
        0,
        "4 records are right, 0 of them signed requests whose signature holds",
        "",
    )
    assert json.loads(run("journal", "verify", "--json")[1])["ok"] is True


def test_a_broken_journal_is_said(run: Run, tmp_path: Path) -> None:
    for number in range(4):
        run("cluster", "add", f"vi-{number}")
    raw = sqlite3.connect(tmp_path / "state" / "rocks-pilot.db")
    raw.execute("UPDATE journal SET principal = 'mallory' WHERE id = 3")
    raw.commit()
    raw.close()
    code, out, _ = run("journal", "verify")
    assert code == Exit.FAILED
    assert out.startswith("BROKEN at record 3: its contents were changed")
    data = json.loads(run("journal", "verify", "--json")[1])
    assert (data["ok"], data["broken"], data["records"]) == (False, 3, 2)


def test_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "list", "--config", str(tmp_path / "none")]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Configuration: ")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom pilot.agent.main import main\n"
        "try: main(['key', 'add', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'asyncssh', 'libvirt', 'cryptography', 'msgspec', 'asyncio'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_end_waits_for_nothing_that_a_thread_holds() -> None:
    """A thread that is inside libvirt as the process ends never lets go of libvirt's locks."""
    program = (
        "import json, threading\nimport pilot.agent.main as m\n"
        "lock, held = threading.Lock(), threading.Event()\n"
        "class Connection:\n"
        "    def __del__(self, lock=lock): lock.acquire()\n"
        "json.connection = Connection()\n"
        "def inside():\n"
        "    with lock: held.set(), threading.Event().wait()\n"
        "def main():\n"
        "    threading.Thread(target=inside, daemon=True).start()\n"
        "    held.wait()\n"
        "    print('said')\n"
        "    return 3\n"
        "m.main = main\n"
        "m.script()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (3, b"said\n"), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs root to become another user")
def test_root_leaves_files_that_the_daemon_can_use(short_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    folder = short_folder / "owned"
    state = folder / "state"
    state.mkdir(parents=True)
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    state.chmod(0o750)
    config = folder / "agent.toml"
    config.write_text('[site]\nname = "test"\nstate = "state"\n')
    config.chmod(0o600)
    secret = _pub(folder, "alice")
    secret.chmod(0o600)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SUDO_USER": "carol"}
    for words in (["cluster", "add", "vi-1"], ["key", "add", "vi-1", str(secret)]):
        done = subprocess.run(
            [sys.executable, "-m", "pilot.agent.main", *words, "--config", str(config)],
            env=environment,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
    files = list(state.iterdir())
    assert files
    for file in files:
        assert file.stat().st_uid == nobody.pw_uid
        assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0
    done = subprocess.run(
        [sys.executable, "-m", "pilot.agent.main", "journal", "show", "--json", "--config", str(config)],
        env=environment,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert {json.loads(line)["principal"] for line in done.stdout.splitlines()} == {"carol"}


@given(st.integers(1_000_000, 4_000_000_000))
def test_a_date_that_is_shown_can_be_typed(seconds: int) -> None:
    # In the hour that a change of clocks repeats, local time is not one to one.
    assert abs(parse_date(show_date(seconds), 0) - seconds) in (0, 1800, 3600)


def test_dates() -> None:
    assert parse_date("+2h", 10_000) == 17_200
    assert parse_date("2h", 10_000, back=True) == 2_800
    assert parse_date("20300102Z", 0) == parse_date("2030-01-02T00:00:00Z", 0) == 1893542400
    assert parse_date("203001020304Z", 0) == 1893542400 + 3 * 3600 + 4 * 60
    for wrong in ("", "x", "2030", "20301301", "+", "5y"):
        with pytest.raises(UsageError, match="not a date"):
            parse_date(wrong, 0)


def test_lines_are_whole_allowed_signers_lines(run: Run, tmp_path: Path) -> None:
    run("cluster", "add", "vi-1")
    run("key", "add", "vi-1", _pub(tmp_path, "alice"))
    [line] = run("key", "list", "--allowed-signers")[1].splitlines()
    assert signers.parse_line(line).namespaces == (wire.REQUEST_NAMESPACE,)
    # What list prints, add takes.
    assert run("key", "add", "vi-1", stdin=line)[2].startswith("unchanged")
