"""A guest of one boot sector: what the serial line and the power button need, up in 0.2 s.

It prints `READY` and echoes what is typed, but for some keys:

- Ctrl+P turns the machine off, Ctrl+R resets it;
- Ctrl+N makes it ignore the power button, which else turns it off at once;
- Ctrl+F prints 64 KiB of `0` to `o`.

Source: tiny_guest.S (`as --32`, then `objcopy -O binary -j .text`).
"""

from __future__ import annotations

import uuid
from pathlib import Path

POWER_OFF, RESET, DEAF, FLOOD = b"\x10", b"\x12", b"\x0e", b"\x06"
FLOOD_BYTES = 64 * 1024

_CODE = bytes.fromhex(
    "fa31c08ed88ed0bc0070c7062000ca7ca32200c7063000ca7ca33200a20005bafb03b080eebaf803b001ee42fec8eeba"
    "fb03b003eebaf903b001eebafc03b00beee42124eee621ba0206b80001efbed17cac84c07405e86000ebf6fabafd03ec"
    "a801751eba0006edf6c4017504fbf4ebeaeff60600050175e2ba0406b80020efebd9baf803ec3c1074ef3c12740d3c0e"
    "74113c067414e82000ebc0baf90cb006eeebb8c606000501ebb131c988c8243f0430e80400e2f5eba25250bafd03eca8"
    "2074fb58baf803ee5ac350b020e62058cf52454144590d0a"
)


_WAIT = bytes.fromhex("fbf4ebea")
"""sti, hlt, jmp loop"""


def write_disk(path: Path, busy: bool = False) -> Path:
    """A raw disk of 1 MiB that boots it; VMs may share it. A busy one polls instead of waiting."""
    code = _CODE.replace(_WAIT, _WAIT.replace(b"\xf4", b"\x90")) if busy else _CODE
    sector = code.ljust(510, b"\0") + b"\x55\xaa"
    path.write_bytes(sector.ljust(1024 * 1024, b"\0"))
    path.chmod(0o666)  # QEMU runs as another account, and IDE disks are opened for writing
    return path


def domain_xml(
    name: str, disk: Path, *, nics: int = 0, serial: bool = True, disk_extra: str = "", graphics: str = ""
) -> str:
    """A domain that boots it; its UUID follows from its name."""
    screen = f"{graphics}<video><model type='vga'/></video>" if graphics else ""
    cards = "".join(
        f"<interface type='user'><mac address='52:54:00:00:00:{n:02x}'/><model type='e1000'/></interface>"
        for n in range(nics)
    )
    bios = "<bios useserial='yes'/>" if serial else ""
    line = "<serial type='pty'/><console type='pty'/>" if serial else ""
    return f"""<domain type='qemu'>
  <name>{name}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>
  <memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/>{bios}</os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{disk}'/><target dev='hda' bus='ide'/><shareable/>
      {disk_extra}
    </disk>
    {line}{cards}{screen}<memballoon model='none'/>
  </devices>
</domain>"""
