"""The gate's property: only the request as it was signed, for this airboss, on this connection, once."""

from __future__ import annotations

from typing import Any

import asyncssh
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import sshsig
from keys.signers import SignerLine
from pilot import wire
from pilot.agent import gate
from pilot.agent.caller import Caller
from pilot.agent.registry import SignerEntry, Snapshot
from pilot.errors import PilotError, RefusedError, SignatureRefusedError
from pilot.records import Role

AIRBOSS = "SHA256:this-airboss"
KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER = asyncssh.generate_private_key("ssh-ed25519")


class Registrar:
    """A registry with one signer: KEY, in vc1."""

    def __init__(self, role: Role = "owner", cluster: str = "vc1") -> None:
        line = SignerLine(principals=("ada",), key_blob=KEY.public_data)
        fingerprint = sshsig.fingerprint(KEY.public_data)
        self.snapshot = Snapshot(
            1, (), [SignerEntry(1, cluster, role, line, fingerprint, "ada", 0.0, "root")]
        )

    def revoked(self, public_blob: bytes) -> str | None:
        return None


def caller(role: Role = "owner", cluster: str = "vc1") -> Caller:
    return Caller(
        Registrar(role, cluster), lambda: 1.0, public_blob=KEY.public_data, username="x", address="here"
    )


def request(
    who: Caller,
    signer: asyncssh.SSHKey = KEY,
    namespace: str = wire.REQUEST_NAMESPACE,
    **changes: Any,
) -> wire.Request:
    body = wire.RequestBody(
        v=wire.VERSION,
        airboss=AIRBOSS,
        challenge=who.challenge,
        seq=1,
        time=0.0,
        verb="power.off",
        cluster="vc1",
        targets=("compute-0-0",),
    )
    data = wire.encode_body(msgspec.structs.replace(body, **changes))
    return wire.Request(data, sshsig.make(signer, data, namespace))


def test_what_was_signed_passes_as_it_was_signed_once() -> None:
    who = caller()
    good = request(who)
    asked = gate.check(good, who, AIRBOSS)
    assert (asked.verb.id, asked.cluster, asked.targets) == ("power.off", "vc1", ("compute-0-0",))
    assert (asked.body, asked.signature) == (good.body, good.signature)
    with pytest.raises(SignatureRefusedError, match="replay"):
        gate.check(good, who, AIRBOSS)


@given(st.data())
def test_any_flipped_bit_of_body_or_signature_is_refused(data: st.DataObject) -> None:
    who = caller()
    good = request(who)
    in_body = data.draw(st.booleans())
    target = bytearray(good.body if in_body else good.signature)
    bit = data.draw(st.integers(0, len(target) * 8 - 1))
    target[bit // 8] ^= 1 << (bit % 8)
    body, signature = (bytes(target), good.signature) if in_body else (good.body, bytes(target))
    with pytest.raises(SignatureRefusedError):
        gate.check(wire.Request(body, signature), who, AIRBOSS)
    # What was refused has used up nothing.
    gate.check(good, who, AIRBOSS)


@given(st.data())
def test_any_truncation_is_refused(data: st.DataObject) -> None:
    who = caller()
    good = request(who)
    body = good.body[: data.draw(st.integers(0, len(good.body)))]
    signature = good.signature[: data.draw(st.integers(0, len(good.signature)))]
    if (body, signature) != (good.body, good.signature):
        with pytest.raises(SignatureRefusedError):
            gate.check(wire.Request(body, signature), who, AIRBOSS)


@given(
    airboss=st.text(max_size=60),
    challenge=st.one_of(st.text(max_size=64), st.binary(min_size=32, max_size=32).map(bytes.hex)),
)
def test_another_airboss_and_another_challenge_are_refused(airboss: str, challenge: str) -> None:
    who = caller()
    if airboss != AIRBOSS:
        with pytest.raises(SignatureRefusedError, match="airboss"):
            gate.check(request(who, airboss=airboss), who, AIRBOSS)
    if challenge != who.challenge:
        with pytest.raises(SignatureRefusedError, match="another connection"):
            gate.check(request(who, challenge=challenge), who, AIRBOSS)


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
        lambda text: text != wire.REQUEST_NAMESPACE
    )
)
def test_another_namespace_is_refused(namespace: str) -> None:
    who = caller()
    with pytest.raises(SignatureRefusedError):
        gate.check(request(who, namespace=namespace), who, AIRBOSS)


@given(st.lists(st.integers(-2, 40), min_size=1, max_size=60))
def test_each_seq_passes_once_at_most(seqs: list[int]) -> None:
    who = caller()
    passed = []
    for seq in seqs:
        try:
            gate.check(request(who, seq=seq), who, AIRBOSS)
            passed.append(seq)
        except SignatureRefusedError:
            continue
    assert len(passed) == len(set(passed))
    assert set(passed) == {seq for seq in seqs if seq > 0}


def test_another_key_is_refused_even_if_it_is_known() -> None:
    who = caller()
    with pytest.raises(SignatureRefusedError, match="another key"):
        gate.check(request(who, signer=OTHER), who, AIRBOSS)


@pytest.mark.parametrize(
    ("role", "verb", "passes"),
    [
        ("viewer", "node.list", True),
        ("viewer", "power.on", False),
        ("operator", "power.off", True),
        ("operator", "power.install", False),
        ("owner", "power.install", True),
    ],
)
def test_roles_reach_as_far_as_the_verbs_say(role: Role, verb: str, passes: bool) -> None:
    who = caller(role)
    if passes:
        assert gate.check(request(who, verb=verb), who, AIRBOSS).verb.id == verb
    else:
        with pytest.raises(RefusedError):
            gate.check(request(who, verb=verb), who, AIRBOSS)


@pytest.mark.parametrize(
    ("role", "bound", "asked", "passes"),
    [
        ("owner", "vc1", "vc1", True),
        ("owner", "vc1", "vc2", False),
        ("owner", "vc1", "", False),
        ("owner", "vc1", "*", False),
        ("operator", "vc1", "vc1", False),
        ("viewer", "vc1", "", False),
        # A role in a cluster is not the site's, whatever it is called.
        ("admin", "vc1", "", False),
        ("owner", "*", "vc1", True),
        ("owner", "*", "", False),
        ("operator", "*", "", False),
        ("admin", "*", "vc1", True),
        ("admin", "*", "", True),
    ],
)
def test_the_journal_of_the_whole_site_is_for_its_admins(
    role: Role, bound: str, asked: str, passes: bool
) -> None:
    who = caller(role, bound)
    ask = request(who, verb="journal.read", cluster=asked, targets=())
    if passes:
        assert gate.check(ask, who, AIRBOSS).cluster == asked
    else:
        with pytest.raises(RefusedError):
            gate.check(ask, who, AIRBOSS)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "vc2"},
        {"cluster": "*"},
        {"cluster": ""},
        {"verb": "nope"},
        {"args": {"nope": 1}},
        {"args": {"grace": 10**400}},
        {"targets": ("x",) * (wire.MAX_TARGETS + 1)},
        {"v": 2},
    ],
)
def test_a_good_signature_does_not_make_a_request_sensible(changes: dict[str, Any]) -> None:
    who = caller()
    with pytest.raises(PilotError):
        gate.check(request(who, **changes), who, AIRBOSS)
