"""The guest's parts: kernels and busybox found or refused, packages unpacked, archives written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pilot.demo import parts
from pilot.demo.cpio import Archive
from pilot.demo.guest import build_initramfs
from pilot.errors import BackendError


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_newest_kernel_by_number_and_only_with_its_modules(tmp_path: Path) -> None:
    for version in ("6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64", "6.2.0-1-cloud-amd64", "7.0.0-1-amd64"):
        put(tmp_path / "boot" / f"vmlinuz-{version}")
        if version != "6.2.0-1-cloud-amd64":
            put(tmp_path / "lib" / "modules" / version / "modules.builtin")
    kernel = parts.newest_kernel(tmp_path / "boot")
    assert kernel is not None
    assert kernel.name == "vmlinuz-6.1.0-10-cloud-amd64"
    assert parts.newest_kernel(tmp_path) is None


def test_module_is_found_built_in_or_missing(tmp_path: Path) -> None:
    kernel = put(tmp_path / "boot" / "vmlinuz-1-cloud-x")
    put(tmp_path / "lib/modules/1-cloud-x/modules.builtin", b"kernel/drivers/a/here.ko\n")
    put(tmp_path / "lib/modules/1-cloud-x/kernel/b/button.ko", b"module")
    found = parts.Parts(kernel, Path("/bin/true"))
    assert found.module("button") == b"module"
    assert found.module("here") is None
    with pytest.raises(BackendError, match="no module 'gone'"):
        found.module("gone")


def test_busybox_that_needs_libraries_is_no_use(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    put(tmp_path / "bin" / "busybox", Path(shell).read_bytes())
    assert parts.static_busybox(tmp_path) is None


def test_package_is_unpacked_as_far_as_wanted(tmp_path: Path) -> None:
    put(tmp_path / "p/boot/vmlinuz-1-cloud-x", b"kernel")
    put(tmp_path / "p/lib/modules/1-cloud-x/modules.builtin", b"")
    put(tmp_path / "p/lib/modules/1-cloud-x/kernel/other.ko")
    put(
        tmp_path / "p/DEBIAN/control",
        b"Package: p\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n",
    )
    deb = tmp_path / "p.deb"
    subprocess.run(["dpkg-deb", "--build", tmp_path / "p", deb], check=True, capture_output=True, timeout=20)
    parts.unpack(deb, tmp_path / "out", ("boot/vmlinuz-",))
    unpacked = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert unpacked == {"boot/vmlinuz-1-cloud-x", "lib/modules/1-cloud-x/modules.builtin"}
    kernel = parts.newest_kernel(tmp_path / "out" / "boot")
    assert kernel is not None
    assert kernel.read_bytes() == b"kernel"


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not a Debian package"):
        parts.unpack(put(tmp_path / "x.deb"), tmp_path / "out", ("x",))


def test_initramfs_is_what_cpio_reads_and_always_the_same() -> None:
    found = parts.find(Path("/nonexistent"))
    data = build_initramfs(found)
    assert data == build_initramfs(found)
    listed = subprocess.run(
        [found.busybox, "cpio", "-t"], input=data, check=True, capture_output=True, timeout=20
    ).stdout.decode()
    assert {"init", "bin/busybox", "sbin/init", "etc/inittab", "dev/console"} <= set(listed.split("\n"))


def test_archive_keeps_modes_and_targets(tmp_path: Path) -> None:
    archive = Archive()
    archive.directory("d")
    archive.file("d/secret", b"12345", 0o600)
    archive.symlink("link", "d/secret")
    subprocess.run(
        [parts.find(Path("/nonexistent")).busybox, "cpio", "-i"],
        input=archive.finish(), cwd=tmp_path, check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    assert (tmp_path / "link").read_bytes() == b"12345"
    assert (tmp_path / "d" / "secret").stat().st_mode & 0o777 == 0o600
