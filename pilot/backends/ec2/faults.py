"""What went wrong at AWS, in words.

Codes: the EC2 API reference's "Error codes" and the common errors of AWS's APIs.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

from pilot.errors import BackendError, DeadlineError, PilotError, RefusedError, UnreachableError

Kind = Literal[
    "credentials", "expired", "skew", "denied", "throttled", "silent", "unreachable", "garbled", "other"
]

SKEW_SECONDS = 240.0
"""AWS refuses a signature that is 5 minutes off."""


class Fault(Exception):  # noqa: N818 - it is told as a record, or becomes a PilotError
    """A call to AWS failed."""

    def __init__(self, kind: Kind, words: str, hint: str = "", said: str = "", code: str = "") -> None:
        super().__init__(said or words)
        self.kind = kind
        self.words = words
        """For all who see something of it."""
        self.hint = hint
        self.said = said or words
        """As AWS or its library said it: for the site's own people."""
        self.code = code

    def error(self, doing: str) -> PilotError:
        """As an error of what was being done."""
        message = f"{doing} failed: {self.words}"
        if self.kind == "silent":
            return DeadlineError(f"{doing}: {self.words}", self.hint)
        if self.kind == "unreachable":
            return UnreachableError(message, self.hint)
        if self.kind == "denied":
            return RefusedError(message, self.hint)
        return BackendError(message, self.hint)


class _Words(msgspec.Struct, frozen=True):
    kind: Kind
    words: str
    hint: str = ""


_CREDENTIALS = _Words(
    "credentials",
    "AWS does not know airboss's credentials",
    "Whoever runs airboss: check the access key or profile that [[ec2]] uses; it is read again by itself.",
)
_EXPIRED = _Words(
    "expired",
    "airboss's token at AWS has expired",
    "Whoever runs airboss: log in again (aws sso login, or a new session token); it is read again by itself.",
)
_DENIED = _Words(
    "denied",
    "AWS does not let airboss's account do that",
    "Ask whoever runs the account at AWS for the right.",
)
_THROTTLED = _Words(
    "throttled",
    "AWS has had too many requests from this account",
    "airboss asks again by itself, more slowly.",
)
_SILENT = _Words("silent", "AWS does not answer", "airboss asks again by itself.")
_UNREACHABLE = _Words(
    "unreachable", "AWS cannot be reached", "Check airboss's way to the network; it tries again by itself."
)
_GARBLED = _Words(
    "garbled", "what answered is not AWS, or only half an answer", "airboss asks again by itself."
)
_STATE = _Words("other", "it is in a state that does not allow it", "Wait till it has settled.")
_BUSY_THERE = _Words("other", "AWS has a fault of its own", "Ask again in a moment.")

_CODES: dict[str, _Words] = {
    **dict.fromkeys(
        ("AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
         "InvalidAccessKeyId", "MissingAuthenticationToken", "IncompleteSignature"), _CREDENTIALS,
    ),
    **dict.fromkeys(
        ("RequestExpired", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED
    ),
    **dict.fromkeys(
        ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthException", "OptInRequired"),
        _DENIED,
    ),
    **dict.fromkeys(
        ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException",
         "SlowDown", "RequestThrottled", "BandwidthLimitExceeded"), _THROTTLED,
    ),
    **dict.fromkeys(
        ("InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "ServiceException"),
        _BUSY_THERE,
    ),
    "Blocked": _Words("denied", "AWS has blocked the account", "Ask AWS's support."),
    "InsufficientInstanceCapacity": _Words(
        "other", "AWS has no room for this type in its zone now", "Ask again later, or use another type."
    ),
    "InsufficientCapacity": _Words("other", "AWS has no room for it now", "Ask again later."),
    "InstanceLimitExceeded": _Words("other", "the account may not run more instances", "Ask AWS for more."),
    "VcpuLimitExceeded": _Words("other", "the account may not run more processors", "Ask AWS for more."),
    "InvalidInstanceID.NotFound": _Words("other", "AWS knows no such instance", "Was it terminated?"),
    "InvalidInstanceID.Malformed": _Words("other", "AWS knows no such instance"),
    "IncorrectInstanceState": _STATE,
    "IncorrectState": _STATE,
    "IncorrectSpotRequestState": _Words("other", "its spot request is in a state that does not allow it"),
    "OperationNotPermitted": _Words(
        "denied", "it is protected at AWS against that", "Its protection is changed at AWS, not here."
    ),
    "UnsupportedHibernationConfiguration": _Words(
        "other", "it was not made so that it can hibernate", "`power.shutdown` stops it."
    ),
    "UnsupportedOperation": _Words("other", "AWS cannot do that with this instance"),
    "InvalidParameterCombination": _Words("other", "AWS cannot do that with this instance"),
    "SerialConsoleAccessDisabledException": _Words(
        "denied",
        "serial consoles are turned off in this account and region",
        "Whoever runs the account at AWS: aws ec2 enable-serial-console-access.",
    ),
    "SerialConsoleSessionLimitExceededException": _Words(
        "other",
        "somebody has a serial session of it open at AWS, or the last one is still being ended",
        "AWS takes 30 s to end one; airboss tries again by itself.",
    ),
    "SerialConsoleSessionUnavailableException": _Words(
        "other", "AWS cannot open its serial console now", "airboss tries again by itself."
    ),
    "SerialConsoleSessionUnsupportedException": _Words(
        "other", "its firmware is too old for a serial console", "`power.reboot` may bring a newer one."
    ),
    "EC2InstanceTypeInvalidException": _Words(
        "other", "its type has no serial console", "Only instances on AWS's Nitro system have one."
    ),
    "EC2InstanceStateInvalidException": _Words("other", "it does not run", "`power.on` turns it on."),
    "EC2InstanceUnavailableException": _Words("other", "it does not answer AWS", "Ask again in a moment."),
    "EC2InstanceNotFoundException": _Words("other", "AWS knows no such instance", "Was it terminated?"),
}  # fmt: skip

_CLASSES: dict[str, _Words] = {
    "NoCredentialsError": _Words(
        "credentials",
        "airboss has no credentials for AWS",
        "Whoever runs airboss: give its user an access key, a profile or a role.",
    ),
    "PartialCredentialsError": _CREDENTIALS,
    "CredentialRetrievalError": _CREDENTIALS,
    "ProfileNotFound": _Words(
        "credentials",
        "the profile that [[ec2]] names is not there",
        "Whoever runs airboss: `profile` names one of ~/.aws/config of airboss's user.",
    ),
    "ConfigParseError": _Words("credentials", "the configuration of AWS's credentials cannot be read"),
    "UnauthorizedSSOTokenError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
    "MetadataRetrievalError": _CREDENTIALS,
    "ConnectTimeoutError": _SILENT,
    "ReadTimeoutError": _SILENT,
    "TimeoutError": _SILENT,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectionClosedError": _UNREACHABLE,
    "ProxyConnectionError": _UNREACHABLE,
    "SSLError": _Words("unreachable", "AWS's certificate is not accepted", "Does a proxy stand in between?"),
    "HTTPClientError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
    "ResponseParserError": _GARBLED,
}


def clean(text: object) -> str:
    """One line of 300 characters at most that can be printed; tokens are left out."""
    said = re.sub(r"\s+", " ", str(text)).strip()
    said = re.sub(r"Encoded authorization failure message: \S+", "", said)
    said = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said)
    return said if len(said) <= 300 else said[:299] + "…"


def skew_of(answer: Any, now: float) -> float | None:
    """By how many seconds airboss's clock is ahead of AWS's, as an answer's Date says."""
    try:
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return now - parsedate_to_datetime(date).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def code_of(error: BaseException) -> str:
    """AWS's code in an error of its library; empty if it has none."""
    answer = getattr(error, "response", None)
    found = answer.get("Error", {}) if isinstance(answer, dict) else {}
    return str(found.get("Code", "")) if isinstance(found, dict) else ""


def fault_of(error: BaseException, now: float) -> Fault:
    """The fault behind whatever a call of AWS's library raised.

    Args:
        error: what was raised.
        now: airboss's clock, seconds since the epoch.
    """
    if isinstance(error, Fault):
        return error
    code, answer = code_of(error), getattr(error, "response", None)
    if code:
        found = answer.get("Error", {}) if isinstance(answer, dict) else {}
        said = clean(f"{code}: {found.get('Message', '')}")
        words = _CODES.get(code)
        status = (
            answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(answer, dict) else 0
        )
        if words is None and (status == 429 or status == 503):
            words = _THROTTLED
        if words is None and status >= 500:
            words = _BUSY_THERE
        skew = skew_of(answer, now)
        refused = words in (_CREDENTIALS, _EXPIRED)
        if refused and skew is not None and abs(skew) > SKEW_SECONDS:
            where = "ahead of" if skew > 0 else "behind"
            return Fault(
                "skew",
                f"airboss's clock is {abs(skew) / 60:.0f} min {where} AWS's, which refuses what it signs",
                "Whoever runs airboss: set its clock (chrony, timedatectl).",
                said,
                code,
            )
        words = words or _Words("other", f"AWS refused: {said}")
        return Fault(words.kind, words.words, words.hint, said, code)
    said = clean(f"{type(error).__name__}: {error}")
    for cls in type(error).__mro__:
        if cls.__name__ in _CLASSES:
            found = _CLASSES[cls.__name__]
            return Fault(found.kind, found.words, found.hint, said)
    return Fault("other", "asking AWS failed", "airboss's log says more.", said)
