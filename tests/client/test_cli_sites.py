"""`pilot` around its verbs: sites and first contact, keys, completion, wrong words, and what is imported."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from pilot.errors import Exit
from tests.client.stand_in import StandIn, User, node


@pytest.fixture
def ada(user: User) -> User:
    """A user who knows the site."""
    user.pin()
    return user


async def test_first_contact_needs_a_person_or_the_option(user: User, airboss: StandIn) -> None:
    address = f"127.0.0.1:{airboss.port}"
    code, _, err = await user.pilot("login", address)
    assert code == Exit.IDENTITY
    assert airboss.fingerprint in err
    assert "--accept-new" in err
    code, out, _ = await user.pilot("login", address, "--accept-new", "--name", "here", "--cluster", "vc1")
    assert code == 0
    assert "ada" in out
    assert "owner of cluster vc1" in out
    assert (await user.pilot("nodes"))[0] == 0
    assert airboss.asked[-1].cluster == "vc1"
    code, out, _ = await user.pilot("sites", "--json")
    assert json.loads(out)[0]["name"] == "here"
    assert oct((user.config / "sites.toml").stat().st_mode)[-3:] == "600"
    code, _, err = await user.pilot("sites", "--forget", "here")
    assert code == 0
    assert (await user.pilot("nodes"))[0] == Exit.USAGE
    assert (user.config / "known_hosts").read_text() == ""


async def test_a_site_may_be_named_by_its_address_without_login(user: User, airboss: StandIn) -> None:
    code, out, _ = await user.pilot("nodes", "--json", "--site", f"127.0.0.1:{airboss.port}", "--accept-new")
    assert (code, len(json.loads(out))) == (0, 3)


async def test_a_changed_host_key_ends_with_five(ada: User, airboss: StandIn) -> None:
    other = StandIn()
    ada.airboss = other
    other.port = airboss.port
    ada.pin()
    code, _, err = await ada.pilot("nodes", "--accept-new")
    assert code == Exit.IDENTITY
    assert "HAS CHANGED" in err
    assert not airboss.asked


async def test_nobody_there_ends_with_four(ada: User, airboss: StandIn) -> None:
    await airboss.stop()
    code, _, err = await ada.pilot("nodes")
    assert code == Exit.UNREACHABLE
    assert "refused" in err


async def test_completion_knows_verbs_options_and_the_nodes_last_seen(ada: User, airboss: StandIn) -> None:
    airboss.records.append(node(4, name="no;spaces here"))
    await ada.pilot("nodes")
    asked = len(airboss.asked)

    async def offered(*words: str) -> list[str]:
        code, out, _ = await ada.pilot("__complete", *words)
        assert code == 0
        return [line.split("\t")[0] for line in out.splitlines()]

    assert await offered("po") == ["power"]
    assert await offered("power", "sh") == ["shutdown"]
    assert await offered("power", "on", "") == ["compute-0-0", "compute-0-1", "compute-0-2", "@all"]
    assert await offered("power", "on", "compute-0-0", "comp") == ["compute-0-1", "compute-0-2"]
    assert await offered("power", "shutdown", "--then", "") == ["leave", "off"]
    assert await offered("power", "shutdown", "--then=o") == ["--then=off"]
    assert await offered("power", "shutdown", "--then", "=", "o") == ["off"]
    assert await offered("power", "shutdown", "--then", "=") == ["leave", "off"]
    assert await offered("--json", "console", "") == ["compute-0-0", "compute-0-1", "compute-0-2"]
    assert await offered("--site", "") == ["test"]
    assert "--take" in await offered("console", "--")
    assert await offered("--key", "") == [":files"]
    assert await offered("completion", "") == ["bash", "fish", "zsh"]
    assert len(airboss.asked) == asked, "TAB does not connect"


async def test_bash_completes(ada: User) -> None:
    await ada.pilot("nodes")
    _, script, _ = await ada.pilot("completion", "bash")
    script += (
        f'pilot() {{ {sys.executable} -m pilot.cli "$@"; }}\n'
        'COMP_WORDS=(pilot power on compute-0-); COMP_CWORD=3; _pilot; echo "${COMPREPLY[*]}"\n'
    )
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", script],
        env=ada.environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.decode().split() == ["compute-0-0", "compute-0-1", "compute-0-2"], done.stderr


async def test_keys_are_made_and_listed(user: User) -> None:
    code, out, err = await user.pilot("keys", "create", "--file", str(user.folder / "k"), "--no-passphrase")
    assert code == 0
    assert out.startswith("ssh-ed25519 ")
    assert out == (user.folder / "k.pub").read_text()
    assert "pilot-agent key add" in err
    assert (await user.pilot("keys", "create", "--file", str(user.folder / "k"), "--no-passphrase"))[0] == 5
    code, out, _ = await user.pilot("keys", "list", "--json")
    assert [key["comment"] for key in json.loads(out)] == ["ada@test"]
    assert (await user.pilot("keys", "create"))[0] == Exit.USAGE, "nobody to ask for a passphrase"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], Exit.USAGE),
        (["frobnicate"], Exit.USAGE),
        (["power", "explode", "x"], Exit.USAGE),
        (["power", "on"], Exit.USAGE),
        (["nodes", "--timeout", "-1"], Exit.USAGE),
        (["nodes", "--site", "no such place"], Exit.USAGE),
        (["--version"], Exit.OK),
        (["power", "--help"], Exit.OK),
    ],
)
async def test_wrong_words(user: User, words: list[str], code: Exit) -> None:
    assert (await user.pilot(*words))[0] == code


async def test_a_wrong_sites_file_names_line_and_key(ada: User) -> None:
    (ada.config / "sites.toml").write_text('[[site]]\nname = "x"\nhost = "h"\nprot = 1\n')
    code, _, err = await ada.pilot("nodes")
    assert code == Exit.USAGE
    assert "line 4" in err
    assert "prot" in err


def _imported(words: list[str], environment: dict[str, str]) -> set[str]:
    script = (
        "import sys, runpy, atexit\n"
        "atexit.register(lambda: sys.stderr.write('MODULES ' + ' '.join(sys.modules)))\n"
        f"sys.argv = ['pilot', *{words!r}]\n"
        "runpy.run_module('pilot.cli', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, timeout=60, check=False
    )
    return set(done.stderr.decode().rsplit("MODULES ", 1)[1].split())


async def test_what_is_heavy_is_not_imported(ada: User) -> None:
    never = {"textual", "rich", "bittty", "libvirt", "sqlalchemy", "alembic"}
    listed = await asyncio.to_thread(_imported, ["nodes"], ada.environment)
    assert "asyncssh" in listed
    assert not never & listed
    for words in (["power", "--help"], ["__complete", "power", "on", ""]):
        modules = await asyncio.to_thread(_imported, words, ada.environment)
        assert not (never | {"asyncssh", "cryptography"}) & modules
        assert not any(name.startswith(("pilot.agent", "pilot.backends")) for name in modules)
