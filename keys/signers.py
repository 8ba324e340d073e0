"""Who may sign: lines of an OpenSSH allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS).

`format_line` writes what the stock `ssh-keygen -Y verify` reads, so that a site can check its own journal
without Pilot; `accepts` decides as OpenSSH does, and refuses certificates that carry a critical option, since
nothing here can honour one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from keys.certificate import (
    CERTIFICATE_TYPES,
    USER,
    is_certificate,
    parse_certificate,
    signed_by_its_authority,
)
from keys.errors import BadKeyError
from keys.patterns import fits_list
from keys.pubfile import KEY_TYPES, format_public_key, parse_public_key, refuse_private
from keys.times import format_time, parse_time

__all__ = [
    "BadKeyError",
    "SignerLine",
    "accepts",
    "certificate_authority",
    "certificate_principals",
    "format_line",
    "format_public_key",
    "in_force",
    "parse_line",
    "parse_lines",
    "parse_public_key",
    "principal_fits",
]

_WORD = re.compile(r'\s*(?:"(?P<quoted>[^"]*)"(?=\s)|(?P<plain>\S+))')
_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>(?:\\"|[^"])*)")?(?P<next>,|(?=\s))')
_SHAPE = "A signer line is: PRINCIPALS [OPTIONS] KEYTYPE BASE64 [COMMENT]"


class SignerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entitlement: these principals sign with this key, or with certificates of this authority."""

    principals: tuple[str, ...]
    """Patterns; `!` before one excludes."""
    key_blob: bytes
    cert_authority: bool = False
    namespaces: tuple[str, ...] = ()
    """Patterns; none means every namespace."""
    valid_after: float | None = None
    valid_before: float | None = None
    """Seconds since the epoch; both ends count as valid."""
    comment: str = ""


def parse_line(text: str) -> SignerLine:
    """A line, with or without its end.

    Raises:
        BadKeyError: it is not a signer line, or its key is not accepted; the message says what is wrong.
    """
    refuse_private(text)
    text = text.strip(" \t\r\n") + " "
    if len(text.splitlines()) != 1:
        raise BadKeyError("a signer line is one line", _SHAPE)
    word = _WORD.match(text)
    if word is None:
        raise BadKeyError("the line is empty", _SHAPE)
    names = word["quoted"] if word["quoted"] is not None else word["plain"]
    if names in KEY_TYPES or names in CERTIFICATE_TYPES:
        raise BadKeyError("the line has no principals before the key", _SHAPE)
    principals = _list_of(names, "principals")
    rest = text[word.end() :].lstrip()
    options: dict[str, str | None] = {}
    if rest.split(None, 1)[:1] and rest.split(None, 1)[0] not in KEY_TYPES | CERTIFICATE_TYPES.keys():
        options, rest = _options(rest)
    key_blob, comment = parse_public_key(rest)
    after, before = options.get("valid-after"), options.get("valid-before")
    line = SignerLine(
        principals=principals,
        key_blob=key_blob,
        cert_authority="cert-authority" in options,
        namespaces=_list_of(options["namespaces"] or "", "namespaces") if "namespaces" in options else (),
        valid_after=None if after is None else parse_time(after),
        valid_before=None if before is None else parse_time(before),
        comment=comment,
    )
    _require_order(line)
    return line


def parse_lines(text: str) -> list[SignerLine]:
    """The lines of a file; blank ones and comments are passed over.

    Raises:
        BadKeyError: a line is wrong; the message begins with its number.
    """
    refuse_private(text)
    found = []
    for number, line in _numbered(text):
        try:
            found.append(parse_line(line))
        except BadKeyError as error:
            raise BadKeyError(f"line {number}: {error.message}", error.hint) from None
    return found


def format_line(line: SignerLine) -> str:
    """The line as text, without its end. Times are written in UTC, to the second.

    Raises:
        BadKeyError: a name holds what a line cannot, or the times are in the wrong order.
    """
    _require_order(line)
    options = []
    if line.cert_authority:
        options.append("cert-authority")
    if line.namespaces:
        options.append(f'namespaces="{_joined(line.namespaces, "namespaces")}"')
    if line.valid_after is not None:
        options.append(f'valid-after="{format_time(line.valid_after)}"')
    if line.valid_before is not None:
        options.append(f'valid-before="{format_time(line.valid_before)}"')
    principals = _joined(line.principals, "principals")
    if " " in principals or principals.startswith("#"):
        principals = f'"{principals}"'
    if not line.comment.isprintable():
        raise BadKeyError("a comment is one line of printable text")
    words = (principals, ",".join(options), format_public_key(line.key_blob, line.comment.strip()))
    return " ".join(filter(None, words))


def in_force(line: SignerLine, at: float) -> bool:
    """Whether the line's own times cover this moment."""
    return _out_of_time(line, at) is None


def principal_fits(line: SignerLine, principal: str) -> bool:
    """Whether the line's patterns cover this principal."""
    return fits_list(principal, line.principals)


def accepts(
    line: SignerLine, public_blob: bytes, namespace: str, at: float, principal: str | None = None
) -> str | None:
    """Why the line does not entitle this key or certificate, in words for a log; None if it does.

    `at` is in seconds since the epoch. Without a `principal`, any that the line covers will do.
    """
    if line.namespaces and not fits_list(namespace, line.namespaces):
        return f"the signer is not entitled to namespace {namespace[:80]!a}"
    if line.cert_authority:
        reason = _certified(line, public_blob, at, principal)
    elif public_blob != line.key_blob:
        reason = (
            "a certificate was presented where the plain key is entitled"
            if is_certificate(public_blob)
            else "the key is another one"
        )
    elif principal is not None and not principal_fits(line, principal):
        reason = f"the key is not entitled to sign as {principal[:80]!a}"
    else:
        reason = None
    return reason or _out_of_time(line, at)


def certificate_principals(public_blob: bytes) -> tuple[str, ...]:
    """The principals that a certificate says it is for; none for a plain key. Not proved by itself.

    Raises:
        BadKeyError: the blob is a certificate in bad form.
    """
    return parse_certificate(public_blob).principals if is_certificate(public_blob) else ()


def certificate_authority(public_blob: bytes) -> bytes | None:
    """The bare key that a certificate says it is signed by; None for a plain key. Not proved by itself.

    Raises:
        BadKeyError: the blob is a certificate in bad form.
    """
    return parse_certificate(public_blob).authority.blob if is_certificate(public_blob) else None


def _certified(line: SignerLine, public_blob: bytes, at: float, principal: str | None) -> str | None:
    if not is_certificate(public_blob):
        return "a plain key was presented where a certificate is needed"
    try:
        certificate = parse_certificate(public_blob)
    except BadKeyError as error:
        return error.message
    # The authority is compared before its signature is computed: a stranger's certificate costs nothing.
    if certificate.authority.blob != line.key_blob:
        return "the certificate is by another authority"
    if not signed_by_its_authority(certificate):
        return "the authority's signature on the certificate does not hold"
    if certificate.kind != USER:
        return "the certificate is not a user certificate"
    if certificate.critical_options:
        names = ", ".join(f"{name[:40]!a}" for name in certificate.critical_options)
        return f"the certificate has critical options that are not honoured here: {names}"
    if at < certificate.valid_after:
        return "the certificate is not valid yet"
    if at >= certificate.valid_before:
        return "the certificate has expired"
    if not certificate.principals:
        return "the certificate names no principals"
    covered = [name for name in certificate.principals if principal_fits(line, name)]
    if not covered:
        return "the authority is not entitled to certify any of the certificate's principals"
    if principal is not None and principal not in covered:
        return f"the certificate does not entitle to sign as {principal[:80]!a}"
    return None


def _out_of_time(line: SignerLine, at: float) -> str | None:
    if line.valid_after is not None and at < line.valid_after:
        return "the signer is not valid yet"
    if line.valid_before is not None and at > line.valid_before:
        return "the signer has expired"
    return None


def _require_order(line: SignerLine) -> None:
    after, before = line.valid_after, line.valid_before
    if after is not None and before is not None and before <= after:
        raise BadKeyError("valid-before is not later than valid-after")


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _list_of(text: str, what: str) -> tuple[str, ...]:
    entries = tuple(text.split(","))
    _joined(entries, what)
    return entries


def _joined(entries: tuple[str, ...], what: str) -> str:
    """A list as a line holds it, if it can."""
    if not entries or not all(entry.lstrip("!") for entry in entries):
        raise BadKeyError(f"the list of {what} is empty or has an empty entry", _SHAPE)
    for entry in entries:
        if "," in entry or '"' in entry or not entry.isprintable():
            raise BadKeyError(f"{entry[:80]!a} cannot stand among the {what} of a line")
    return ",".join(entries)


def _options(text: str) -> tuple[dict[str, str | None], str]:
    """The options at the start of the text, and what follows them."""
    found: dict[str, str | None] = {}
    at = 0
    while True:
        option = _OPTION.match(text, at)
        if option is None:
            raise BadKeyError(
                f"{text[at : at + 40].strip()!a} is neither an option nor a type of key", _SHAPE
            )
        name, value = option["name"].lower(), option["value"]
        if name not in ("cert-authority", "namespaces", "valid-after", "valid-before"):
            raise BadKeyError(
                f"option {name[:40]!a} is not known",
                "Known: cert-authority, namespaces=, valid-after=, valid-before=.",
            )
        if (value is None) != (name == "cert-authority"):
            raise BadKeyError(
                f"option {name} takes no value"
                if value is not None
                else f'option {name} needs a value: {name}="…"'
            )
        if name in found:
            raise BadKeyError(f"option {name} stands twice")
        found[name] = value
        at = option.end()
        if option["next"] != ",":
            return found, text[at:].lstrip()
