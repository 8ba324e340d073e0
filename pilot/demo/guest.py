"""The guest that the demo's VMs and the tests boot: Debian's cloud kernel and a busybox initramfs.

It is built from files that Debian's packages put on this machine, and kept in a cache folder whose name
is a digest of all of them: same inputs, same guest, nothing to rebuild.
"""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal

import msgspec

from pilot.demo.account import cache_folder, unprivileged_account
from pilot.demo.cpio import Archive
from pilot.demo.parts import MODULES, Parts, find
from pilot.errors import BackendError

FORMAT = 1
"""Part of the digest: raised when this module makes something else of the same inputs."""

ROOTFS = Path(__file__).parent / "rootfs"
LOGIN = "root"
PASSWORD = "pilot"  # noqa: S105  (told to everybody in /etc/issue)

KERNEL_ARGUMENTS = (
    "console=tty0 console=ttyS0,115200 panic=5 no_timer_check mitigations=off cryptomgr.notests"
)


Accelerator = Literal["kvm", "tcg"]


class Guest(msgspec.Struct, frozen=True):
    """A built guest."""

    disk: Path
    """A raw disk that SeaBIOS boots: SYSLINUX, kernel, initramfs. Never written to, so all VMs share it."""
    accelerator: Accelerator
    """What boots it on this machine."""


def build_initramfs(parts: Parts, rootfs: Path = ROOTFS) -> bytes:
    """A cpio archive: busybox, links for its applets, the modules, and the files of `rootfs`."""
    applets = subprocess.run(
        [parts.busybox, "--list-full"], check=True, capture_output=True, text=True, timeout=10
    ).stdout.split()
    archive = Archive()
    folders = ["bin", "sbin", "usr", "usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "root", "lib", "var"]
    for folder in (*folders, "lib/modules", "tmp"):
        archive.directory(folder, 0o1777 if folder == "tmp" else 0o755)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", parts.busybox.read_bytes(), 0o755)
    for applet in applets:
        if applet.startswith(("bin/", "sbin/", "usr/")) and applet != "bin/busybox":
            archive.symlink(applet, "/bin/busybox")
    for number, name in enumerate(MODULES):
        if (data := parts.module(name)) is not None:
            archive.file(f"lib/modules/{number:02}-{name}.ko", data)
    for path in sorted(rootfs.rglob("*")):
        name = str(path.relative_to(rootfs))
        if path.is_dir():
            archive.directory(name)
        else:
            data = path.read_bytes()
            archive.file(
                name, data, 0o755 if data.startswith(b"#!") else 0o600 if name == "etc/shadow" else 0o644
            )
    return archive.finish()


def build_disk(kernel: Path, initramfs: bytes, disk: Path) -> None:
    """Write a FAT disk image with SYSLINUX, kernel and initramfs; needs mtools and syslinux, not root.

    Raises:
        BackendError: one of the tools is missing or failed.
    """
    size = kernel.stat().st_size + len(initramfs)
    megabytes = size // 2**20 + 4
    with tempfile.TemporaryDirectory(prefix="rocks-pilot-") as name:
        folder = Path(name)
        (folder / "initrd").write_bytes(initramfs)
        # SeaBIOS shows the loader's words on the serial line already: SYSLINUX needs no SERIAL directive.
        (folder / "syslinux.cfg").write_text(
            "PROMPT 0\nTIMEOUT 1\nDEFAULT node\nLABEL node\n"
            f" KERNEL vmlinuz\n INITRD initrd\n APPEND {KERNEL_ARGUMENTS}\n",
            encoding="ascii",
        )
        image = folder / "disk"
        with image.open("wb") as file:
            file.truncate(megabytes * 2**20)
        _tool("mformat", "-i", image, "::")
        _tool("mcopy", "-i", image, folder / "syslinux.cfg", "::syslinux.cfg")
        _tool("mcopy", "-i", image, kernel, "::vmlinuz")
        _tool("mcopy", "-i", image, folder / "initrd", "::initrd")
        _tool("syslinux", "--install", image)
        disk.write_bytes(image.read_bytes())


def _tool(name: str, *arguments: str | Path) -> None:
    try:
        subprocess.run([name, *arguments], check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        raise BackendError(
            f"{name} is not installed", "On Debian: `apt-get install syslinux mtools`."
        ) from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip()
        raise BackendError(f"{name} failed: {words}") from error


def boots(disk: Path, accelerator: Accelerator, deadline: float) -> bool:
    """Whether a VM with this accelerator gets to the login prompt in time: the only proof that it works.

    /dev/kvm may open and still not run a stock kernel, as on some nested machines.
    """
    command = [
        "qemu-system-x86_64", "-accel", accelerator, "-m", "192", "-nodefaults", "-no-user-config",
        "-display", "none", "-serial", "stdio", "-drive", f"file={disk},format=raw,if=virtio,readonly=on",
    ]  # fmt: skip
    until = time.monotonic() + deadline
    seen = b""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        try:
            while (left := until - time.monotonic()) > 0 and b"KVM internal error" not in seen:
                if select.select([process.stdout], [], [], left)[0]:
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:
                        return False
                    seen = seen[-100:] + data
                    if b"login: " in seen:
                        return True
            return False
        finally:
            process.kill()


def choose_accelerator(disk: Path, deadline: float = 5.0) -> Accelerator:
    """KVM if the hosts' account may use it and it boots the guest, else TCG: QEMU's own emulation."""
    return "kvm" if unprivileged_account().opens_kvm and boots(disk, "kvm", deadline) else "tcg"


def build(cache: Path | None = None) -> Guest:
    """The guest for this machine, built if the cache has none for these very inputs; takes 0.2 s if not.

    Several processes may build at once: each makes its own and the last rename wins.

    Raises:
        BackendError: a package is missing; the hint names it.
    """
    cache = cache or cache_folder()
    parts = find(cache)
    initramfs = build_initramfs(parts)
    stat = parts.kernel.stat()
    inputs = (
        FORMAT,
        KERNEL_ARGUMENTS,
        str(parts.kernel),
        stat.st_size,
        stat.st_mtime_ns,
        hashlib.sha256(initramfs).hexdigest(),
    )
    folder = cache / f"guest-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]}"
    disk = folder / "disk.img"
    if not disk.exists():
        folder.mkdir(parents=True, exist_ok=True)
        build_disk(parts.kernel, initramfs, folder / f"disk.{os.getpid()}")
        (folder / f"disk.{os.getpid()}").rename(disk)
    return Guest(disk, _remembered_accelerator(disk))


def _remembered_accelerator(disk: Path) -> Accelerator:
    """What was found out since the machine booted, or found out now."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    usable = unprivileged_account().opens_kvm
    memory = disk.parent / f"accelerator-{boot}-{'kvm' if usable else 'none'}"
    known = memory.read_text(encoding="ascii") if memory.exists() else ""
    if known in ("kvm", "tcg"):
        return "kvm" if known == "kvm" else "tcg"
    found = choose_accelerator(disk)
    for old in disk.parent.glob("accelerator-*"):
        old.unlink(missing_ok=True)
    memory.write_text(found, encoding="ascii")
    return found
