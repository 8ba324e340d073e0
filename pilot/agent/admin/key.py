"""`pilot-agent key add|list|remove`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from keys import signers, sshsig
from keys.certificate import CERTIFICATE_TYPES
from keys.errors import KeysError
from keys.patterns import fits_list
from keys.pubfile import KEY_TYPES, refuse_private
from keys.signers import SignerLine
from pilot import wire
from pilot.agent.admin.context import Context, put_json, put_table, say
from pilot.agent.admin.times import parse_date, show_date
from pilot.agent.registry import SITE, SignerEntry, read_signers
from pilot.agent.registry_edit import require_cluster
from pilot.errors import Exit, UsageError
from pilot.records import Role

MAX_BYTES = 1024 * 1024
"""A list of keys longer than this is something else."""


def add(args: argparse.Namespace) -> int:
    """Entitle keys."""
    cluster, files = _cluster_and_rest(args)
    role: Role = args.role or ("admin" if args.site else "owner")
    with Context(args) as context:
        after, before = (
            None if text is None else parse_date(text, context.now)
            for text in (args.valid_after, args.valid_before)
        )
        if after is not None and before is not None and before <= after:
            raise UsageError("--valid-before is not later than --valid-after")
        lines: list[SignerLine] = []
        for name in files or ["-"]:
            for where, text in _read(name):
                line = _line(where, text, args.principal, args.cert_authority)
                if after is not None:
                    line = msgspec.structs.replace(line, valid_after=after)
                if before is not None:
                    line = msgspec.structs.replace(line, valid_before=before)
                _require_use(where, line, context.now)
                lines.append(line)
        if not lines:
            raise UsageError("there is no key in what was given", "Give .pub files, or keys on stdin.")
        changes = context.editor.add_signers(cluster, role, lines)
        place = "the site" if cluster == SITE else f"cluster {cluster}"
        for line, change in zip(lines, changes, strict=True):
            kind = "authority " if line.cert_authority else ""
            said = f"{change}: {kind}{','.join(line.principals)} {sshsig.fingerprint(line.key_blob)}"
            say(f"{said}, {role} of {place}, {_validity(line)}")
        if context.json:
            put_json(
                [
                    {"fingerprint": sshsig.fingerprint(line.key_blob), "change": change}
                    for line, change in zip(lines, changes, strict=True)
                ]
            )
    return Exit.OK


def show(args: argparse.Namespace) -> int:
    """Print the keys."""
    if args.site and args.cluster:
        raise UsageError("--site and a cluster are two things", "Give one of them, or neither for all.")
    with Context(args) as context:
        with context.database.read() as connection:
            if args.cluster:
                require_cluster(connection, args.cluster)
            entries = read_signers(connection, SITE if args.site else args.cluster)
        if args.allowed_signers:
            for text in dict.fromkeys(signers.format_line(entry.line) for entry in entries):
                print(text)
        elif context.json:
            put_json([_as_json(entry, context.now) for entry in entries])
        else:
            rows = [
                (
                    "(site)" if entry.cluster == SITE else entry.cluster,
                    entry.role,
                    entry.principal,
                    "authority" if entry.line.cert_authority else "key",
                    _validity(entry.line, context.now),
                    entry.fingerprint,
                    entry.line.comment,
                )
                for entry in entries
            ]
            put_table(("CLUSTER", "ROLE", "PRINCIPAL", "KIND", "VALID", "FINGERPRINT", "COMMENT"), rows)
    return Exit.OK


def remove(args: argparse.Namespace) -> int:
    """Take keys away."""
    cluster, words = _cluster_and_rest(args)
    if not words:
        raise UsageError("say which key: fingerprint, principal or .pub file")
    with Context(args) as context:
        tests = {word: _test(word) for word in words}
        with context.database.read() as connection:
            if cluster != SITE:
                require_cluster(connection, cluster)
            known = read_signers(connection, cluster)
        for word, test in tests.items():
            if not any(test(entry) for entry in known):
                raise UsageError(
                    f"no key of {'the site' if cluster == SITE else cluster} fits '{word}'",
                    "`pilot-agent key list` shows them; nothing was removed.",
                )
        gone = context.editor.remove_signers(cluster, lambda entry: any(t(entry) for t in tests.values()))
        for entry in gone:
            say(f"removed: {entry.principal} {entry.fingerprint}, was {entry.role}")
        if context.json:
            put_json([_as_json(entry, context.now) for entry in gone])
    return Exit.OK


def _cluster_and_rest(args: argparse.Namespace) -> tuple[str, list[str]]:
    if args.site:
        return SITE, args.words
    if not args.words:
        raise UsageError("say in which cluster, or --site", "pilot-agent key add CLUSTER FILE.pub")
    return args.words[0], args.words[1:]


def _read(name: str) -> list[tuple[str, str]]:
    """The lines of a file or stdin that are not blank or comments, each with what errors call it."""
    try:
        if name == "-":
            if sys.stdin.isatty():
                say("public keys, a line each; end with Ctrl+D:")
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{name}: cannot be read: {error.strerror}", "Give CLUSTER first, then .pub files."
        ) from None
    shown = "stdin" if name == "-" else name
    if len(data) > MAX_BYTES:
        raise UsageError(f"{shown}: too long for a list of public keys")
    text = data.decode(errors="replace")
    try:
        refuse_private(text)
    except KeysError as error:
        raise UsageError(f"{shown}: {error.message}", error.hint) from None
    return [
        (f"{shown}, line {number}", line)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _line(where: str, text: str, principal: str | None, authority: bool) -> SignerLine:
    """A .pub line or a line of an allowed_signers file."""
    try:
        if text.split(None, 1)[0] not in KEY_TYPES | CERTIFICATE_TYPES.keys():
            line = signers.parse_line(text)
            changes: dict[str, object] = {"cert_authority": True} if authority else {}
            if principal is not None:
                changes["principals"] = _principals(principal, authority or line.cert_authority)
            line = msgspec.structs.replace(line, **changes)
            signers.format_line(line)
            return line
        key_blob, comment = signers.parse_public_key(text)
        if principal is None and authority:
            raise UsageError(
                f"{where}: an authority needs --principal", "Say whom it may certify; '*' for anybody."
            )
        name = principal or comment
        if not name or (not authority and set(name) & set(" \t,*?!\"'")):
            raise UsageError(
                f"{where}: the key's comment '{wire.plain(comment, 60)}' does not say whose it is",
                "Say it: --principal NAME",
            )
        line = SignerLine(
            principals=_principals(name, authority),
            key_blob=key_blob,
            cert_authority=authority,
            namespaces=(wire.REQUEST_NAMESPACE,),
            comment="" if comment == name else comment,
        )
        signers.format_line(line)
    except KeysError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from None
    return line


def _principals(text: str, authority: bool) -> tuple[str, ...]:
    """A name; of an authority a list of patterns of names."""
    return tuple(text.split(",")) if authority else (text,)


def _require_use(where: str, line: SignerLine, now: float) -> None:
    """Refuse what could never act; say it of what cannot any more."""
    if line.namespaces and not fits_list(wire.REQUEST_NAMESPACE, line.namespaces):
        raise UsageError(
            f"{where}: the line's namespaces leave out {wire.REQUEST_NAMESPACE}", "Take the option away."
        )
    if line.valid_before is not None and line.valid_before < now:
        say(f"{where}: this key has expired already, on {show_date(line.valid_before)}")


def _test(word: str) -> Callable[[SignerEntry], bool]:
    """Whether an entry is what a fingerprint, principal or file names."""
    if word.startswith("SHA256:"):
        return lambda entry: entry.fingerprint == word
    path = Path(word)
    if path.is_file():
        blobs = set()
        for where, text in _read(word):
            try:
                plain_key = text.split(None, 1)[0] in KEY_TYPES
                blobs.add(
                    signers.parse_public_key(text)[0] if plain_key else signers.parse_line(text).key_blob
                )
            except KeysError as error:
                raise UsageError(f"{where}: {error.message}", error.hint) from None
        return lambda entry: entry.line.key_blob in blobs
    return lambda entry: word == entry.principal or word in entry.line.principals


def _validity(line: SignerLine, now: float | None = None) -> str:
    if now is not None and line.valid_before is not None and line.valid_before < now:
        return f"expired {show_date(line.valid_before)}"
    parts = []
    if line.valid_after is not None and (now is None or line.valid_after > now):
        parts.append(f"from {show_date(line.valid_after)}")
    if line.valid_before is not None:
        parts.append(f"until {show_date(line.valid_before)}")
    return " ".join(parts) or "always"


def _as_json(entry: SignerEntry, now: float) -> dict[str, object]:
    return {
        "cluster": entry.cluster,
        "role": entry.role,
        "principal": entry.principal,
        "principals": entry.line.principals,
        "cert_authority": entry.line.cert_authority,
        "fingerprint": entry.fingerprint,
        "valid_after": entry.line.valid_after,
        "valid_before": entry.line.valid_before,
        "valid": signers.in_force(entry.line, now),
        "comment": entry.line.comment,
        "added": entry.added,
        "added_by": entry.added_by,
        "line": signers.format_line(entry.line),
    }
