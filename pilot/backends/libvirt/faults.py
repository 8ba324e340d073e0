"""libvirt's errors in our own: its words, shortened, and what to do next where that is known.

Why a host cannot be reached is told in a category only: libvirt's words for it hold addresses and paths of
the site, and go to the log and to the site's own people.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import libvirt

from pilot.errors import BackendError, DeadlineError, PilotError, UnreachableError

_HINTS: tuple[tuple[str, str], ...] = (
    (r"Active console session", "Something else holds it, such as `virsh console`: end that first."),
    (r"cannot find character device|does not have a character device|is not using a PTY",
     "Give the domain a serial console: `<serial type='pty'/>`; libvirt opens no other type."),
    (r"Could not open '.*': Permission denied|Permission denied",
     "libvirt's own account on the host must be able to read and write the VM's files."),
    (r"Cannot access storage file|Could not open '|No such file or directory",
     "A disk or another file of the VM is missing on the host: bring it back or change the domain."),
    (r"Failed to get .* lock|is another process using",
     "Another running VM uses the same disk."),
    (r"KVM|/dev/kvm|invalid argument: could not find capabilities",
     "The host offers no KVM: is virtualisation on in its firmware, and its kvm module loaded?"),
    (r"[Cc]annot allocate memory|memory allocation|unable to map backing store",
     "The host lacks the memory for it: turn something off there."),
    (r"storage pool|no storage", "A storage pool that the VM needs is not active on the host."),
    (r"network '.*' is not active", "Start the libvirt network on the host: `virsh net-start`."),
    (r"Cannot get interface|no bridge|failed to add tap interface|Unable to add .*bridge",
     "The bridge that the VM is plugged into is missing on the host."),
    (r"cannot acquire state change lock",
     "QEMU works on something else or hangs; if it is shown as hung, `power.off` ends it."),
    (r"authentication (failed|unavailable|cancelled)|polkit|access denied",
     "airboss's account must be in the group libvirt on the host."),
)  # fmt: skip

_log = logging.getLogger(__name__)

_CATEGORIES: tuple[tuple[str, str], ...] = (
    (r"does not answer|stopped answering|[Tt]imed out|keepalive", "libvirtd does not answer"),
    (r"authentication|polkit|access denied|[Pp]ermission denied|Host key verification",
     "it does not let airboss in"),
    (r"unable to connect|Failed to connect|[Cc]annot connect|refused|[Nn]o route|resolve|No such file",
     "it cannot be reached"),
    (r"closed|reset|End of file|Broken pipe|Cannot (recv|write)|connection failed|connection was lost",
     "it closed the connection"),
)  # fmt: skip

_UNREACHABLE_DOMAINS = {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE}
_LOST = re.compile(
    r"client socket is closed|connection (reset|refused|closed)|keepalive|Cannot (recv|write) data|"
    r"End of file while reading|Failed to connect socket|unable to connect|Broken pipe|"
    r"invalid connection pointer|not connected",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^(internal error: |operation failed: |Requested operation is not valid: |"
    r"qemu unexpectedly closed the monitor: |process exited while connecting to monitor: |"
    r"\d{4}-\d\d-\d\dT[\d:.]+Z qemu-[\w-]+: |-\w+ \{.*?\}: |-\w+ \S+: )"
)


def words(error: BaseException) -> str:
    """libvirt's own words: one line, without what only repeats that something failed, 300 characters."""
    text = str(error).removesuffix("()").strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    text = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[1]}"
    while shorter := _NOISE.sub("", text, count=1):
        if shorter == text:
            break
        text = shorter
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= 300 else text[:299] + "…"


def hint(text: str) -> str:
    """What to do about an error of these words; empty if that is not known."""
    return next((advice for pattern, advice in _HINTS if re.search(pattern, text)), "")


def category(text: str) -> str:
    """Why a host does not serve, without anything that is the site's own: addresses, paths, accounts."""
    return next((words for pattern, words in _CATEGORIES if re.search(pattern, text)), "it cannot be reached")


def unreachable(error: BaseException, doing: str, host: str) -> UnreachableError:
    """The error of a host that was lost, or to which no connection opens; libvirt's words are logged."""
    said = words(error)
    _log.warning("host %s: %s failed: %s", host, doing, said)
    return UnreachableError(
        f"{doing} failed: host {host}: {category(said)}",
        hint(said) or "airboss reconnects by itself; ask again once the host is up.",
    )


def is_code(error: BaseException, *codes: int) -> bool:
    """Whether it is a libvirt error of one of these codes (VIR_ERR_…)."""
    return isinstance(error, libvirt.libvirtError) and error.get_error_code() in codes


def is_lost(error: Any) -> bool:
    """Whether the error means that the connection is no more."""
    return bool(_LOST.search(str(error))) or (
        is_code(error, libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR)
        and error.get_error_domain() in _UNREACHABLE_DOMAINS
    )


def translate(error: BaseException, doing: str, host: str) -> PilotError:
    """Our error for one of libvirt's.

    Args:
        error: what was raised; one of ours is given back as it is.
        doing: what failed, as in "turning on compute-0-0".
        host: name of the host it was asked of.
    """
    if isinstance(error, PilotError):
        return error
    if not isinstance(error, libvirt.libvirtError):
        return BackendError(f"{doing} failed: {type(error).__name__}: {error}")
    said = words(error)
    if is_lost(error):
        return unreachable(error, doing, host)
    if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
        return BackendError(f"{doing} failed: it is no longer on host {host}", "Was it moved or removed?")
    if is_code(error, libvirt.VIR_ERR_OPERATION_TIMEOUT):
        return DeadlineError(f"{doing}: {said}", hint(str(error)))
    return BackendError(f"{doing} failed: {said}", hint(str(error)))
