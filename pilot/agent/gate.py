"""The checks of a signed request, in their order: nothing in it is looked up before they all hold."""

from __future__ import annotations

import msgspec

from keys import sshsig
from keys.errors import BadSignatureError
from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.policy import is_site_admin, strongest
from pilot.errors import RefusedError, SignatureRefusedError, UsageError
from pilot.records import role_covers
from pilot.verbs import BY_ID, Value, Verb

_AGAIN = "Connect again; if it stays, update the client."
_ALL_OWN = ("events.read", "node.list", "watch")
"""Verbs that mean all that is the signer's, if no cluster is named."""
_NO_CLUSTER = ("site", "host")
"""Scopes of verbs that are for no cluster."""
_ALL_THE_SITE = ("journal.read",)
"""Verbs that mean the whole site, if no cluster is named: for its admins only."""


class Asked(msgspec.Struct, frozen=True):
    """A request that passed: what is asked of one cluster, and the proof of who asked."""

    verb: Verb
    cluster: str
    targets: tuple[str, ...]
    args: dict[str, Value]
    body: bytes = b""
    """The signed bytes; empty if SSH alone vouches for the signer."""
    signature: bytes = b""

    @property
    def signed(self) -> bool:
        """Whether the request carries a signature of its own."""
        return bool(self.signature)


def check(request: wire.Request, caller: Caller, airboss: str) -> Asked:
    """Pass a request, or say why not. `airboss` is the fingerprint of our own host key.

    Raises:
        SignatureRefusedError: form, algorithm, key, signature, airboss, challenge or seq.
        WireError: the signed bytes are no request.
        RefusedError, UsageError: see `entitle`.
    """
    try:
        signature = sshsig.parse(request.signature)
        reason = caller.is_key_of(signature)
        if reason is not None:
            raise SignatureRefusedError(f"the request is {reason}", _AGAIN)
        sshsig.check(signature, request.body, wire.REQUEST_NAMESPACE)
    except BadSignatureError as error:
        raise SignatureRefusedError(f"the request's signature does not hold: {error}", _AGAIN) from None
    body = wire.decode_request(request.body)
    if body.airboss != airboss:
        raise SignatureRefusedError(
            f"the request was signed for the airboss {wire.plain(body.airboss, 60)}, this one is {airboss}",
            "If you did not expect that, somebody passed your request on: tell the admins of both sites.",
        )
    if body.challenge != caller.challenge:
        raise SignatureRefusedError("the request was signed for another connection", _AGAIN)
    if not caller.window.accept(body.seq):
        raise SignatureRefusedError(f"seq {body.seq} was used before on this connection: a replay", _AGAIN)
    asked = entitle(caller, body.verb, body.cluster, body.targets, body.args)
    return msgspec.structs.replace(asked, body=request.body, signature=request.signature)


def entitle(
    caller: Caller, verb_id: str, cluster: str, targets: tuple[str, ...], args: dict[str, Value]
) -> Asked:
    """Pass what an authenticated caller asks, if the role allows it.

    Raises:
        RefusedError: no such verb, cluster not the signer's, or the role does not reach.
        UsageError: arguments that do not fit the verb.
    """
    verb = BY_ID.get(verb_id)
    if verb is None:
        raise UsageError(f"there is no verb '{wire.plain(verb_id, 40)}'", "`pilot --help` lists the verbs.")
    if not cluster and verb.scope not in _NO_CLUSTER and verb.id not in (*_ALL_OWN, *_ALL_THE_SITE):
        raise UsageError(f"{verb.id} needs a cluster", "Say which with --cluster.")
    if not cluster and verb.id in _ALL_THE_SITE and not is_site_admin(caller.grants()):
        raise RefusedError(
            f"{verb.id} of the whole site needs the role admin of the site",
            "Say which cluster with --cluster.",
        )
    role = caller.role(cluster) if cluster else strongest(grant.role for grant in caller.grants())
    if role is None:
        raise RefusedError(
            f"there is no cluster '{wire.plain(cluster, 60)}', or it is not yours"
            if cluster
            else "your key is not entitled to anything here any more",
            "`pilot login` says which clusters are yours; an admin binds keys with `pilot-agent key add`.",
        )
    if not role_covers(role, verb.role):
        raise RefusedError(
            f"{verb.id} needs the role {verb.role} in {cluster or 'a cluster'}, yours is {role}",
            f"Ask an admin: pilot-agent key add {cluster or 'CLUSTER'} --role {verb.role} …",
        )
    return Asked(verb, cluster, targets, verb.arguments(args))
