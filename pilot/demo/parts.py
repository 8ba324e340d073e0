"""The guest's raw parts: Debian's cloud kernel with two modules of its, and a static busybox.

What the machine has installed is used. Otherwise the Debian packages are downloaded by apt, which checks
them, and unpacked into the cache: a second kernel in /boot would be this machine's next one to boot.
"""

from __future__ import annotations

import lzma
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

import msgspec

from pilot.errors import BackendError

KERNEL_PACKAGE = "linux-image-cloud-amd64"
BUSYBOX_PACKAGE = "busybox-static"
DOWNLOAD_SECONDS = 120

MODULES = ("button", "evdev")
"""Kernel modules of the power button; a module comes after those that it needs."""


class Parts(msgspec.Struct, frozen=True):
    """Where the parts are."""

    kernel: Path
    busybox: Path

    @property
    def modules_folder(self) -> Path:
        """Where the kernel's modules are: it is /boot/vmlinuz-X and /lib/modules/X in a package."""
        return _modules_folder(self.kernel)

    def module(self, name: str) -> bytes | None:
        """A module's bytes, unpacked, or None if it is built in.

        Raises:
            BackendError: the kernel has no such module.
        """
        for path in sorted(self.modules_folder.rglob(f"{name}.ko*")):
            data = path.read_bytes()
            return lzma.decompress(data) if path.suffix == ".xz" else data
        if f"/{name}.ko" in (self.modules_folder / "modules.builtin").read_text(encoding="ascii"):
            return None
        raise BackendError(f"the kernel {self.kernel.name} has no module '{name}'")


def find(cache: Path) -> Parts:
    """The parts on this machine, downloaded into the cache if they are not installed.

    Raises:
        BackendError: neither installed nor to be had.
    """
    kernel = newest_kernel(Path("/boot")) or newest_kernel(cache / "parts" / "boot")
    if kernel is None:
        fetch(_image_package(), cache / "parts", ("boot/vmlinuz-", *(f"/{name}.ko" for name in MODULES)))
        kernel = newest_kernel(cache / "parts" / "boot")
    busybox = static_busybox(Path("/")) or static_busybox(cache / "parts")
    if busybox is None:
        fetch(BUSYBOX_PACKAGE, cache / "parts", ("bin/busybox",))
        busybox = static_busybox(cache / "parts")
    if kernel is None or busybox is None:
        missing = KERNEL_PACKAGE if kernel is None else BUSYBOX_PACKAGE
        raise BackendError(f"Debian's package {missing} does not have what the guest needs")
    return Parts(kernel, busybox)


def newest_kernel(boot: Path) -> Path | None:
    """The newest readable cloud kernel in a folder like /boot whose modules are beside it."""
    found = [
        path
        for path in boot.glob("vmlinuz-*-cloud-*")
        if os.access(path, os.R_OK) and (_modules_folder(path) / "modules.builtin").is_file()
    ]
    return max(found, key=_version, default=None)


def static_busybox(root: Path) -> Path | None:
    """The busybox below a root folder, if it needs no shared libraries: the guest has none."""
    for path in (root / "bin" / "busybox", root / "usr" / "bin" / "busybox"):
        # A dynamic program names its interpreter near its beginning.
        if path.is_file() and b"/ld-linux" not in path.read_bytes()[:4096]:
            return path
    return None


def fetch(package: str, target: Path, wanted: tuple[str, ...]) -> None:
    """Download a Debian package and `unpack` it.

    Raises:
        BackendError: apt does not know it, or the download failed.
    """
    with tempfile.TemporaryDirectory(prefix="rocks-pilot-") as name:
        # Without a sandbox user of its own: the folder is ours alone.
        _apt("apt-get", "-q", "-o", f"APT::Sandbox::User={_user()}", "download", package, folder=name)
        (archive,) = Path(name).glob("*.deb")
        unpack(archive, target, wanted)


def unpack(archive: Path, target: Path, wanted: tuple[str, ...]) -> None:
    """Unpack the files of a Debian package whose path has one of `wanted` in it, and modules.builtin.

    Raises:
        BackendError: it is not a package, or has a file that would land outside of `target`.
    """
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as files:
                for member in files:
                    if any(part in member.name for part in (*wanted, "/modules.builtin")):
                        content = files.extractfile(member)
                        if content is not None:
                            _place(target, member.name, content.read())
        except tarfile.TarError as error:
            raise BackendError(f"{archive.name} is not a Debian package: {error}") from None


def _place(target: Path, name: str, data: bytes) -> None:
    path = target / PurePosixPath(name)
    if not path.resolve().is_relative_to(target.resolve()):
        raise BackendError(f"a package has the file '{name}', which is outside of it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.chmod(0o755)
    temporary.rename(path)


def _modules_folder(kernel: Path) -> Path:
    return kernel.parent.parent / "lib" / "modules" / kernel.name.removeprefix("vmlinuz-")


def _version(kernel: Path) -> list[int]:
    words = kernel.name.removeprefix("vmlinuz-").replace("-", ".").split(".")
    return [int(word) if word.isdecimal() else -1 for word in words]


def _image_package() -> str:
    """The package with the kernel itself, which the one with the lasting name depends on."""
    for line in _apt("apt-cache", "depends", "--important", KERNEL_PACKAGE).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise BackendError(
        f"apt knows no kernel for {KERNEL_PACKAGE}", "Is this Debian on x86-64? `apt-get update`."
    )


def _user() -> str:
    return "root" if os.geteuid() == 0 else "_apt"


def _apt(*command: str, folder: str | None = None) -> str:
    try:
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=DOWNLOAD_SECONDS,
            stdin=subprocess.DEVNULL,
        ).stdout
    except FileNotFoundError:
        raise BackendError(
            f"{command[0]} is not there to get the guest's kernel and busybox with",
            f"The demo is made for Debian. Elsewhere: a cloud kernel in /boot and {BUSYBOX_PACKAGE}.",
        ) from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"`{' '.join(command)}` did not end in {DOWNLOAD_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        words = str(error.stderr).strip().rpartition("\n")[2]
        raise BackendError(f"`{' '.join(command)}` failed: {words}", "Run `apt-get update` first.") from None
