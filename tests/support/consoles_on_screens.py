"""What guests that show text on their screens are booted from: Debian's kernel, GRUB, and console fonts."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from pilot.demo import guest as guest_module
from pilot.demo import parts as parts_module
from pilot.demo.account import cache_folder
from pilot.demo.cpio import Archive

KERNEL_ARGUMENTS = f"{guest_module.KERNEL_ARGUMENTS} panic=0"
"""A panic stays on the screen."""

GRUB_MODULES = (
    "biosdisk", "configfile", "echo", "font", "gfxterm", "linux", "normal", "sleep", "tar", "video_bochs",
)  # fmt: skip
GRUB_WORDS = "GRUB says: The quick brown fox jumps over the lazy dog 0123456789 {}[]()"
GRUB_SIGNS = "éàü ÄÖ ß → ░▒▓ │┤"


def console_fonts() -> Path:
    """The folder of Debian's console fonts; downloaded, not installed."""
    return _fetched("console-setup-linux", "usr/share/consolefonts", ("/consolefonts/Lat15-",))


def uefi() -> Path:
    """A firmware for QEMU; downloaded, not installed."""
    return _fetched("ovmf", "usr/share/ovmf/OVMF.fd", ("/ovmf/OVMF.fd",))


def kernel() -> Path:
    """The guest's kernel."""
    return parts_module.find(cache_folder()).kernel


def initramfs(fonts: tuple[str, ...] = ()) -> bytes:
    """The demo's, with console fonts in /fonts besides."""
    archive = Archive()
    archive.directory("fonts")
    for name in fonts:
        archive.file(f"fonts/{name}", (console_fonts() / f"{name}.psf.gz").read_bytes())
    # The kernel unpacks archives one behind the other.
    return guest_module.build_initramfs(parts_module.find(cache_folder())) + archive.finish()


def grub(folder: Path, fonts: tuple[str, ...] = ()) -> list[str | Path]:
    """Arguments of a QEMU whose GRUB shows a screen of text at 1024x768, awaits Escape, and boots the guest.

    GRUB's driver of QEMU's card makes the kernel take the mode over as a plain framebuffer ("efifb"), for
    which the cloud kernel has the one driver that it has at all.
    """
    modules = _fetched("grub-pc-bin", "usr/lib/grub/i386-pc", ("/i386-pc/",))
    tools = _fetched("grub-common", "usr", ("/bin/grub-mkimage", "/grub/unicode.pf2"))
    settings = f"""
loadfont (hd0)/unicode.pf2
set gfxmode=1024x768x32
terminal_output gfxterm
echo '{GRUB_WORDS}'
echo '{GRUB_SIGNS}'
set gfxpayload=1024x768x32
linux (hd0)/vmlinuz {KERNEL_ARGUMENTS}
initrd (hd0)/initrd
echo 'ready'
sleep --interruptible 300
boot
"""
    disk = folder / "grub.tar"
    with tarfile.open(disk, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (
            ("grub.cfg", settings.encode()),
            ("unicode.pf2", (tools / "share/grub/unicode.pf2").read_bytes()),
            ("vmlinuz", kernel().read_bytes()),
            ("initrd", initramfs(fonts)),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    (folder / "early.cfg").write_text("configfile (hd0)/grub.cfg\n", encoding="ascii")
    subprocess.run(
        [
            tools / "bin/grub-mkimage", "-d", modules, "-O", "i386-pc", "-o", folder / "core.img",
            "-c", folder / "early.cfg", "-p", "(hd0)", *GRUB_MODULES,
        ],
        check=True,
        timeout=60,
    )  # fmt: skip
    # With this in front, what loads Linux loads GRUB.
    image = folder / "grub"
    image.write_bytes((modules / "lnxboot.img").read_bytes() + (folder / "core.img").read_bytes())
    return ["-kernel", image, "-drive", f"file={disk},format=raw,if=virtio,readonly=on"]


def _fetched(package: str, path: str, wanted: tuple[str, ...]) -> Path:
    """A folder of a Debian package, unpacked into the cache."""
    target = cache_folder() / "tests" / package
    if not (target / "whole").exists():
        parts_module.fetch(package, target, wanted)
        (target / "whole").touch()
    return target / path
