"""The user's own keys: a real ssh-agent, key files of every kind, and logins with what they give."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

from keys import sshsig
from keys.agent import Agent
from keys.errors import BadKeyError, NoIdentityError, SigningRefusedError
from keys.identity import Signer, create_key, default_key_files, identities
from tests.keys.tools import (
    MESSAGE,
    NAMESPACE,
    Ring,
    SoftToken,
    certificate_blob,
    keygen,
    run,
    verify_with_ssh_keygen,
)
from tests.support.waiting import until_sync

KEYS = ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072")


class AgentProcess:
    """A real ssh-agent."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "agent")
        self.process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # The agent asks whether it may sign with a key that was added with -c: here nobody says yes.
            env={"PATH": "/usr/bin:/bin", "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"},
        )
        until_sync(self._listens, 20, "ssh-agent listens")

    def _listens(self) -> bool:
        # Its socket is there a moment before it listens.
        with socket.socket(socket.AF_UNIX) as asking:
            return asking.connect_ex(self.path) == 0

    def add(self, *words: str | Path) -> None:
        """Run ssh-add."""
        status, said = run("ssh-add", *words, env={"SSH_AUTH_SOCK": self.path})
        assert status == 0, said

    def end(self) -> None:
        """End it, stopped or not."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def agent(short_folder: Path, tmp_path: Path) -> Iterator[AgentProcess]:
    folder = short_folder / tmp_path.name[-40:]
    folder.mkdir()
    process = AgentProcess(folder)
    yield process
    process.end()
    shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, without an agent; its .ssh folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True, mode=0o700)
    return folder


class Asked:
    """Answers the question for a passphrase, and counts."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = list(answers)
        self.files: list[Path] = []

    async def __call__(self, path: Path) -> str | None:
        self.files.append(path)
        return self._answers.pop(0)


async def nobody(path: Path) -> str | None:
    raise AssertionError(f"asked for the passphrase of {path}")


def copied(ring: Ring, name: str, to: Path) -> Path:
    shutil.copy(ring.path(name), to)
    shutil.copy(f"{ring.path(name)}.pub", f"{to}.pub")
    to.chmod(0o600)
    return to


async def assert_signs(signer: Signer, folder: Path, line: str) -> None:
    blob = await sshsig.make_with(signer, MESSAGE, NAMESPACE)
    signature = sshsig.parse(blob)
    sshsig.check(signature, MESSAGE, NAMESPACE)
    assert signature.public_blob == signer.public_blob
    assert signature.key_blob == signer.key_blob
    assert signature.algorithm != "rsa-sha2-256"
    assert verify_with_ssh_keygen(folder, sshsig.armor(blob), MESSAGE, [line])


@pytest.mark.parametrize("name", KEYS)
async def test_a_key_file_signs(ring: Ring, tmp_path: Path, name: str) -> None:
    (signer,) = await identities([ring.path(name)], False, nobody)
    assert signer.public_blob == signer.key_blob == ring.blob(name)
    assert signer.fingerprint == signer.airboss_fingerprint == sshsig.fingerprint(ring.blob(name))
    assert signer.comment == f"{name}@example.org"
    assert signer.source == str(ring.path(name))
    assert not signer.locked
    await assert_signs(signer, tmp_path, f"alice {ring.line(name)}")


@pytest.mark.parametrize("name", KEYS)
async def test_the_agent_signs(
    ring: Ring, tmp_path: Path, agent: AgentProcess, home: Path, name: str
) -> None:
    agent.add(ring.path(name))
    (signer,) = await identities([], True, nobody, agent.path)
    assert signer.public_blob == ring.blob(name)
    assert signer.source == "ssh-agent"
    assert signer.comment == f"{name}@example.org"
    await assert_signs(signer, tmp_path, f"alice {ring.line(name)}")


async def test_the_agent_comes_first_then_the_files(ring: Ring, agent: AgentProcess, home: Path) -> None:
    agent.add(ring.path("ecdsa-384"))
    agent.add(ring.path("ed25519"))
    copied(ring, "ed25519", home / "id_ed25519")
    copied(ring, "rsa-2048", home / "id_rsa")
    found = await identities([], True, nobody, agent.path)
    assert [(signer.key_blob, signer.source) for signer in found] == [
        (ring.blob("ecdsa-384"), "ssh-agent"),
        (ring.blob("ed25519"), "ssh-agent"),
        (ring.blob("rsa-2048"), str(home / "id_rsa")),
    ]
    without = await identities([], False, nobody, agent.path)
    assert [signer.source for signer in without] == [str(home / "id_ed25519"), str(home / "id_rsa")]


async def test_the_agent_of_the_environment(
    ring: Ring, agent: AgentProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.add(ring.path("ed25519"))
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.path)
    assert [signer.source for signer in await identities([], True, nobody)] == ["ssh-agent"]


async def test_given_files_and_no_others(ring: Ring, agent: AgentProcess, home: Path, tmp_path: Path) -> None:
    agent.add(ring.path("ed25519"))
    agent.add(ring.path("ed25519.2"))
    copied(ring, "rsa-2048", home / "id_rsa")
    encrypted = copied(ring, "ed25519", tmp_path / "mine")
    keygen("-q", "-p", "-P", "", "-N", "secret", "-f", encrypted)
    (signer,) = await identities([encrypted], True, nobody, agent.path)
    assert (signer.key_blob, signer.source) == (ring.blob("ed25519"), "ssh-agent")
    await assert_signs(signer, tmp_path, f"alice {ring.line('ed25519')}")


async def test_a_public_key_file_stands_for_what_the_agent_holds(
    ring: Ring, agent: AgentProcess, tmp_path: Path
) -> None:
    public = tmp_path / "held.pub"
    shutil.copy(f"{ring.path('ed25519')}.pub", public)
    with pytest.raises(NoIdentityError, match="does not hold its private half"):
        await identities([public], True, nobody, agent.path)
    agent.add(ring.path("ed25519"))
    (signer,) = await identities([public], True, nobody, agent.path)
    assert signer.source == "ssh-agent"
    (beside,) = await identities([Path(f"{ring.path('ecdsa-256')}.pub")], True, nobody, agent.path)
    assert beside.source == str(ring.path("ecdsa-256"))


@pytest.mark.parametrize("name", ["ed25519", "rsa-2048", "ecdsa-256"])
@pytest.mark.parametrize("where", ["file", "agent", "agent, certificate in a file"])
async def test_certificates_come_first(
    ring: Ring, tmp_path: Path, agent: AgentProcess, name: str, where: str
) -> None:
    path = ring.certify(tmp_path, name, "ed25519.ca")
    if where == "agent":
        agent.add(path)
    elif where != "file":
        agent.add(ring.path(name))
    certified, plain = await identities([path], True, nobody, agent.path)
    assert certified.public_blob == certificate_blob(path)
    assert certified.key_blob == plain.public_blob == ring.blob(name)
    assert certified.certified
    assert certified.airboss_fingerprint == sshsig.fingerprint(ring.blob("ed25519.ca"))
    assert certified.source == plain.source == (str(path) if where == "file" else "ssh-agent")
    await assert_signs(certified, tmp_path, f"alice cert-authority {ring.line('ed25519.ca')}")
    await assert_signs(plain, tmp_path, f"alice {ring.line(name)}")


async def test_a_certificate_for_another_key_is_passed_over(ring: Ring, tmp_path: Path) -> None:
    path = copied(ring, "ed25519", tmp_path / "key")
    other = ring.certify(tmp_path, "ecdsa-256", "ed25519.ca")
    shutil.copy(f"{other}-cert.pub", f"{path}-cert.pub")
    notes: list[str] = []
    (signer,) = await identities([path], False, nobody, note=notes.append)
    assert not signer.certified
    assert "no certificate for the key beside it" in notes[0]


async def test_a_passphrase_is_asked_for_when_it_is_needed(ring: Ring, tmp_path: Path) -> None:
    path = tmp_path / "key"
    line = create_key(path, "secret", "me@here")
    ask = Asked("wrong", "", "secret")
    (signer,) = await identities([path], False, ask)
    assert signer.locked
    assert not ask.files
    await asyncio.gather(*(assert_signs(signer, tmp_path, f"alice {line}") for _ in range(3)))
    assert ask.files == [path, path, path]
    assert not signer.locked


async def test_a_passphrase_that_is_not_given(tmp_path: Path) -> None:
    path = tmp_path / "key"
    create_key(path, "secret", "me@here")
    for answers, what in (((None,), "no passphrase was given"), (("a", "b", "c"), "3 wrong passphrases")):
        (signer,) = await identities([path], False, Asked(*answers))
        with pytest.raises(NoIdentityError, match=what):
            await signer.unlock()
        assert signer.locked
    (signer,) = await identities([path], False, None)
    with pytest.raises(NoIdentityError, match="nobody is here to ask"):
        await signer.sign(MESSAGE)


async def test_encrypted_files_of_the_older_format(ring: Ring, tmp_path: Path) -> None:
    for form in ("PEM", "PKCS8"):
        path = copied(ring, "rsa-2048", tmp_path / form)
        keygen("-q", "-p", "-P", "", "-N", "secret", "-m", form, "-f", path)
        ask = Asked("secret")
        (signer,) = await identities([path], False, ask)
        assert signer.locked
        await assert_signs(signer, tmp_path, f"alice {ring.line('rsa-2048')}")
        assert ask.files == [path]
        Path(f"{path}.pub").unlink()
        with pytest.raises(NoIdentityError, match="does not say which key it is") as caught:
            await identities([path], False, ask)
        assert "ssh-keygen -y -f" in caught.value.hint
        keygen("-q", "-p", "-P", "secret", "-N", "", "-m", form, "-f", path)
        (plain,) = await identities([path], False, nobody)
        assert plain.key_blob == ring.blob("rsa-2048")


async def test_halves_that_do_not_belong_together(ring: Ring, tmp_path: Path) -> None:
    path = copied(ring, "rsa-2048", tmp_path / "key")
    keygen("-q", "-p", "-P", "", "-N", "secret", "-m", "PEM", "-f", path)
    shutil.copy(f"{ring.path('rsa-3072')}.pub", f"{path}.pub")
    (signer,) = await identities([path], False, Asked("secret"))
    with pytest.raises(NoIdentityError, match="is not the public half"):
        await signer.sign(MESSAGE)


async def test_files_that_are_not_used(
    ring: Ring, tmp_path: Path, home: Path, subtests: pytest.Subtests
) -> None:
    open_to_all = copied(ring, "ed25519", tmp_path / "open")
    open_to_all.chmod(0o640)
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "text").chmod(0o600)
    broken = tmp_path / "broken"
    broken.write_text(ring.path("ed25519").read_text().replace("b3BlbnNza", "b3BlbnNzb"))
    broken.chmod(0o600)
    token = tmp_path / "fifo"
    run("mkfifo", token)
    for path, error, what, hint in (
        (open_to_all, NoIdentityError, "can be read by others .mode 0640", f"chmod 600 {open_to_all}"),
        (tmp_path / "text", BadKeyError, "not a public key", ""),
        (tmp_path / "missing", NoIdentityError, "there is no key file", ""),
        (tmp_path, NoIdentityError, "is not a file|Is a directory", ""),
        (token, NoIdentityError, "is not a file", ""),
        (broken, NoIdentityError, "no private key that can be used", ""),
        (ring.path("rsa-1024"), BadKeyError, "1024 bits is too weak", "Ed25519"),
        (ring.path("dsa"), BadKeyError, "'ssh-dss' are not accepted", "Ed25519"),
    ):
        with subtests.test(what):
            with pytest.raises(error, match=what) as caught:
                await identities([path], False, nobody)
            assert hint in caught.value.hint
            assert str(path) in caught.value.message
    shutil.copy(open_to_all, home / "id_ed25519")
    (home / "id_ed25519").chmod(0o644)
    shutil.copy(ring.path("rsa-1024"), home / "id_rsa")
    notes: list[str] = []
    with pytest.raises(NoIdentityError, match="no SSH key that can be used"):
        await identities([], True, nobody, note=notes.append)
    assert len(notes) == 2
    copied(ring, "ecdsa-256", home / "id_ecdsa")
    assert [signer.source for signer in await identities([], True, nobody)] == [str(home / "id_ecdsa")]


def test_the_default_files(home: Path) -> None:
    names = [path.name for path in default_key_files()]
    assert names == ["id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"]
    assert {path.parent for path in default_key_files()} == {home}


async def test_agents_that_are_of_no_use(ring: Ring, agent: AgentProcess, home: Path, tmp_path: Path) -> None:
    copied(ring, "ed25519", home / "id_ed25519")
    notes: list[str] = []
    (signer,) = await identities([], True, nobody, str(tmp_path / "none"), notes.append)
    assert signer.source == str(home / "id_ed25519")
    assert "cannot be used: " in notes[0]
    agent.add(ring.path("rsa-1024"))
    await identities([], True, nobody, agent.path, notes.append)
    assert "1024 bits is too weak" in notes[1]


async def test_an_agent_that_hangs_is_not_waited_for(ring: Ring, agent: AgentProcess) -> None:
    agent.add(ring.path("ed25519"))
    hasty, patient = Agent(agent.path, list_deadline=0.2, sign_deadline=0.2), Agent(agent.path)
    assert len(await patient.keys()) == 1
    agent.process.send_signal(signal.SIGSTOP)
    with pytest.raises(NoIdentityError, match=r"does not answer within 0\.2 s"):
        await hasty.keys()
    with pytest.raises(SigningRefusedError, match=r"did not sign within 0\.2 s"):
        await hasty.sign(ring.blob("ed25519"), MESSAGE, "ssh-ed25519")
    agent.process.send_signal(signal.SIGCONT)
    # What it answers late is not taken for the answer to the next question.
    first, second = await asyncio.gather(
        *(patient.sign(ring.blob("ed25519"), data, "ssh-ed25519") for data in (b"one", b"two"))
    )
    public = asyncssh.import_public_key(ring.line("ed25519"))
    assert public.verify(b"one", first)
    assert public.verify(b"two", second)


async def test_an_agent_that_refuses_says_why_as_far_as_it_can_be_told(
    ring: Ring, agent: AgentProcess, tmp_path: Path, home: Path
) -> None:
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"elsewhere.example.org {ring.line('ecdsa-384')}\n")
    agent.add("-H", hosts, "-h", "elsewhere.example.org", ring.path("ed25519"))
    agent.add("-c", ring.path("ed25519.2"))
    agent.add(ring.path("ecdsa-256"))
    restricted, confirmed, removed = await identities([], True, nobody, agent.path)
    for signer in (restricted, confirmed):
        with pytest.raises(SigningRefusedError, match=r"certain destinations only .ssh-add -h.*denied"):
            await sshsig.make_with(signer, MESSAGE, NAMESPACE)
    agent.add("-q", "-d", ring.path("ecdsa-256"))
    with pytest.raises(SigningRefusedError, match="does not hold the key any more"):
        await removed.sign(MESSAGE)
    agent.end()
    with pytest.raises(SigningRefusedError, match="is gone"):
        await removed.sign(MESSAGE)


async def test_an_old_agent_that_signs_with_sha1(ring: Ring, short_folder: Path, home: Path) -> None:
    """Agents from before RFC 8332 ignore the flag that asks for SHA-2."""
    key = asyncssh.read_private_key(ring.path("rsa-2048"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def string(data: bytes) -> bytes:
            return len(data).to_bytes(4, "big") + data

        while length := await reader.read(4):
            packet = await reader.readexactly(int.from_bytes(length, "big"))
            if packet[0] == 11:
                answer = b"\x0c\0\0\0\1" + string(key.public_data) + string(b"old")
            else:
                data = packet[5 + len(key.public_data) + 4 : -4]
                answer = b"\x0e" + string(key.sign(data, b"ssh-rsa"))
            writer.write(string(answer))
        writer.close()

    path = str(short_folder / "old-agent")
    async with await asyncio.start_unix_server(serve, path):
        (signer,) = await identities([], True, nobody, path)
        with pytest.raises(SigningRefusedError, match="'ssh-rsa' is not allowed"):
            await signer.sign(MESSAGE)


async def test_security_key_files_sign_through_the_agent_or_say_so(tmp_path: Path) -> None:
    """Without libfido2's Python half and a token, a file of that type can be read and not used."""
    token = SoftToken("sk-ed25519")
    key = asyncssh.import_public_key(token.line)
    private = type(key).make_private((token.public_blob[34:66], "ssh:", 1, b"handle", b""))
    path = tmp_path / "id_ed25519_sk"
    path.write_bytes(private.export_private_key())
    path.chmod(0o600)
    path.with_name("id_ed25519_sk.pub").write_text(token.line + "\n")
    (signer,) = await identities([path], False, nobody)
    assert signer.key_blob == token.public_blob
    with pytest.raises(SigningRefusedError, match="did not sign") as caught:
        await signer.sign(MESSAGE)
    assert caught.value.hint == f"Let the agent do it: ssh-add {path}"


class _Door(asyncssh.SSHServer):
    """Lets one key, or one authority's certificates, log in."""

    def __init__(self, key: bytes, authority: bytes) -> None:
        self._key = key
        self._authority = authority

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._key

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._authority


@pytest.fixture
async def door(ring: Ring) -> AsyncIterator[_DoorOpener]:
    opener = _DoorOpener(ring)
    yield opener
    await opener.close()


class _DoorOpener:
    def __init__(self, ring: Ring) -> None:
        self._host_key = asyncssh.read_private_key(ring.path("ed25519.host"))
        self._acceptors: list[asyncssh.SSHAcceptor] = []

    async def login(self, signer: Signer, key: bytes, authority: bytes = b"") -> None:
        """Log in at a server that knows this key and this authority."""
        acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: _Door(key, authority), server_host_keys=[self._host_key]
        )
        self._acceptors.append(acceptor)
        async with (
            asyncio.timeout(10),
            asyncssh.connect(
                "127.0.0.1",
                acceptor.get_port(),
                config=None,
                username="alice",
                known_hosts=([self._host_key.convert_to_public()], [], []),
                client_keys=[signer.keypair],
                agent_path=None,
            ),
        ):
            pass

    async def close(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
            await acceptor.wait_closed()


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("where", ["file", "agent"])
async def test_a_signer_logs_in(
    ring: Ring, agent: AgentProcess, tmp_path: Path, door: _DoorOpener, name: str, where: str
) -> None:
    path = ring.certify(tmp_path, name, "ed25519.ca")
    certified, plain = await identities([path], False, nobody)
    if where == "agent":
        agent.add(path)
        certified, plain = await identities([path], True, nobody, agent.path)
    assert certified.certified
    await door.login(plain, ring.blob(name))
    for _ in range(2):
        await door.login(certified, b"", ring.blob("ed25519.ca"))
    with pytest.raises(asyncssh.PermissionDenied):
        await door.login(plain, ring.blob("ed25519.2"))
    assert plain.last_error is None


async def test_a_login_that_the_agent_refuses_can_be_explained(
    ring: Ring, agent: AgentProcess, home: Path, door: _DoorOpener
) -> None:
    agent.add("-c", ring.path("ed25519"))
    (signer,) = await identities([], True, nobody, agent.path)
    with pytest.raises(asyncssh.PermissionDenied):
        await door.login(signer, ring.blob("ed25519"))
    assert isinstance(signer.last_error, SigningRefusedError)


@pytest.mark.parametrize("passphrase", [None, "", "correct horse"])
async def test_a_new_key(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "new" / ".ssh" / "id_ed25519"
    line = create_key(path, passphrase, "me@here")
    assert line.startswith("ssh-ed25519 AAAA")
    assert line.endswith(" me@here")
    assert Path(f"{path}.pub").read_text() == line + "\n"
    assert keygen("-y", "-P", passphrase or "", "-f", path).split()[:2] == line.split()[:2]
    assert (run("ssh-keygen", "-y", "-P", "", "-f", path)[0] == 0) == (not passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["id_ed25519", "id_ed25519.pub"]
    (signer,) = await identities([path], False, Asked(passphrase))
    await assert_signs(signer, tmp_path, f"alice {line}")


def test_a_new_key_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for taken in (path, Path(f"{path}.pub")):
        taken.write_text("mine")
        with pytest.raises(NoIdentityError, match="is there already"):
            create_key(path, None, "me@here")
        assert taken.read_text() == "mine"
        assert [entry.name for entry in tmp_path.iterdir()] == [taken.name]
        taken.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(NoIdentityError, match="is there already"):
        create_key(path, None, "me@here")
    with pytest.raises(NoIdentityError, match="cannot be written"):
        create_key(Path("/proc/key"), None, "me@here")
    with pytest.raises(NoIdentityError, match="one line"):
        create_key(tmp_path / "other", None, "me\nyou")
