"""Writes a cpio archive in the `newc` form, which is what the kernel unpacks as an initramfs.

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Written here because
everything in the archive belongs to root and has a fixed time, whoever builds it and when, so that the
same inputs give the same bytes.
"""

from __future__ import annotations

_DIRECTORY, _FILE, _SYMLINK, _CHARACTER = 0o040000, 0o100000, 0o120000, 0o020000


class Archive:
    """An archive that grows in memory; entries are unpacked in the order they were added."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Add a directory."""
        self._entry(name, _DIRECTORY | mode, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file."""
        self._entry(name, _FILE | mode, data)

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(name, _SYMLINK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._entry(name, _CHARACTER | mode, b"", (major, minor))

    def finish(self) -> bytes:
        """The whole archive."""
        self._entry("TRAILER!!!", 0, b"")
        return bytes(self._data)

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields)
        self._data += path
        self._pad()
        self._data += data
        self._pad()

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)
