"""Makes the recordings that `test_conformance` replays: real programs on a real pty, and what they printed.

`python -m tests.console.record [NAME ...]` in the checkout makes them anew. It needs vim, less, top, htop,
tmux, busybox, QEMU and the right to make namespaces, so that nothing of the machine that it runs on is in
what the programs print. The tests themselves only need what this wrote.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pilot.console.bittty_engine import BitttyEngine

FOLDER = Path(__file__).parent / "recordings"
QUIET = 0.4
"""Seconds without output after which the next keys are pressed."""
LONGEST = 8.0
MOST = 60_000
"""Bytes of the longest recording; the program is ended then."""
_APART = (
    "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts",
    "sh", "-c", 'hostname compute-0-0; exec "$@"', "sh",
)  # fmt: skip


class Session(NamedTuple):
    """A program, and the keys that are pressed one after the other."""

    command: Sequence[str]
    keys: Sequence[str] = ()
    term: str = "xterm-256color"
    columns: int = 80
    rows: int = 24


_UP, _DOWN, _LEFT, _PAGE = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[6~"
_VIM = ("vim", "-u", "NONE", "-i", "NONE", "-n", "-c", "set nocp ruler showcmd hls is", "-c", "syntax on")
_EDITING = (
    "/import\r", "n", "\x06", "\x06", "\x02", "Onew line, and a long one " + "x" * 90 + "\x1b", "dd", "u",
    "\x12", "p", ":set number\r", "5>>", "G", "zt", "ggVjjd", ":split\r", "\x17w", "/def\r",
    "R replaced \x1b", ":set list\r", "\x0c",
)  # fmt: skip
_PROGRESS = r"""
printf '\r\n\0337\033[0;23r\0338\033[1A'
i=0
while [ $i -le 40 ]; do
  printf 'Unpacking package-%s (1.%s-1) ...\r\n' $i $i
  printf '\0337\033[24;0f\033[42m\033[30mProgress: [%3d%%]\033[49m\033[39m [%-40s] \0338' \
    $((i * 100 / 40)) "$(printf '%*s' $i '' | tr ' ' '#')"
  i=$((i + 1))
done
printf '\0337\033[0;24r\0338\033[1A\033[J'
printf 'Setting up everything ...\r\n(Reading database ... 5%%\r'
printf '(Reading database ... 100%%\r(Reading database ... done)\r\n'
"""
_CONTROLS = r"""
p() { printf "$@"; }
p '\033[2J\033[H\033#8\033[3;5Hwrap: '; for i in 1 2 3 4 5 6 7 8; do p 'abcdefghijklmno'; done
p '\033[5;10r\033[5;1Hone\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\r\nseven'
p '\033[6;3H\033[2L\r\033[41min red\033[K\033[m'
p '\033[8;1H\033M\033M\033M\033M\033[r\033[12;1Hinsert: \033[4habc\033[4l'
p '\033[12;9H\033[3@\033[44mXYZ\033[2P\033[m'
p '\033[13;1Htabs\tone\ttwo\033[2Zback\033[3g\033[5Gx\033H\rq\tz'
p '\033[14;70Hnowrap\033[?7lABCDEFGHIJKLM\033[?7h'
p '\033[15;1H\033(0lqqqqk\033(B box \016x\017 \033)0\016mqqj\017'
p '\033[16;1H\033[1;4;7;38;5;208mlooks\033[22;27m more\033[0m'
p '\033[16;20H\033[38;2;10;20;30;48;2;200;100;50mtrue'
p '\033[39m\033[7mrev\033[m\033[9mstruck\033[3;2mdim\033[m'
p '\033[17;10H漢字かな\033[17;11HX\033[17;14H\033[2P wide \033[17;79H漢 end'
p '\033[19;1He\314\201a\314\210 ünï ✓ ▁▂▃'
p '\033[20;1Hsaved\0337\033[1;1Hhome\0338 restored\033[20;30H\033[5X\033[20;40Hrepeat-\033[12b\033[21;1H'
p 'over\bstrike\b\b\bZ\033[22;10H\033[1Kleft\033[22;60Hright\033[22;65H\033[K'
p '\033[?6h\033[3;6r\033[1;1HO\033[?6l\033[r\033[23;1Hlines\033[23;1H\033[45m\033[1S\033[m\033[2T'
p '\033[24;77Hlast\033[24;80HE\033[24;80H\033[?5h\033[?5l'
"""
_OTHERS = "for i in $(seq 25); do sleep $((200 + i)) & done;"
SESSIONS = {
    "vim": Session((*_VIM, "text.py"), _EDITING),
    "vim-vt220": Session((*_VIM, "text.py"), _EDITING, term="vt220"),
    "vim-wide": Session(
        (*_VIM, "text.py"), (*_EDITING, ":vsplit\r", "\x06", ":set wrap\r"), columns=132, rows=43
    ),
    "less": Session(
        ("less", "-R", "text.py"), (" ", " ", "b", "/class\r", "n", "N", "G", "g", "j", "50%", "k", "h", "q")
    ),
    "less-quit": Session(("sh", "-c", "ls -l /usr/lib | head -40; less text.py; echo back"), (" ", "q")),
    "top": Session(("sh", "-c", f"{_OTHERS} top -d 0.5"), ("z", "1", "M", "x", "c", _DOWN, "e", "t", "m")),
    "htop": Session(
        ("sh", "-c", f"{_OTHERS} htop -d 5"),
        (_DOWN, _DOWN, "t", "\x1bOR", "sh\x1b", "\x1bOQ", "\x1b", "H", "P"),
    ),
    "htop-quit": Session(("sh", "-c", f"{_OTHERS} echo before; htop -d 5; echo after"), (_DOWN, "q")),
    "tmux": Session(
        ("tmux", "-f", "/dev/null", "-S", "socket", "new-session", "sh"),
        ("ls -l /usr\r", "\x02%", "top -d 1 -n 2\r", "\x02" + '"', "seq 60\r", "\x02o", "\x02[", _UP, "q",
         "\x02c", "\x02w", "q"),
        term="screen",
    ),
    "shell": Session(
        ("busybox", "sh"),
        ("ls --color=always -l /usr /usr/lib | head -30\r", "echo a long line " + "y" * 120, _LEFT * 130, "z",
         "\x05", "\r", "cl", "\x7f" * 2, "for i in 1 2 3; do echo $i; done\r", "busybox vi text.py\r", _PAGE,
         "dd", ":q!\r", "clear\r", "busybox top -n 2 -d 1\r"),
    ),
    "progress": Session(("sh", "-c", _PROGRESS)),
    "controls": Session(("sh", "-c", _CONTROLS)),
    "boot": Session(
        ("qemu-system-x86_64", "-accel", "tcg", "-m", "192", "-display", "none", "-serial", "stdio",
         "-monitor", "none", "-nodefaults", "-snapshot", "-no-reboot",
         "-drive", "file={guest},format=raw,if=virtio"),
        ("", "", "root\r", "top -n 2\r", "dmesg | tail -60\r", "clear\r", "ls -l /bin | head -8\r"),
        term="vt220",
    ),
}  # fmt: skip


def record(session: Session) -> bytes:
    """Run a session and give what it printed."""
    with tempfile.TemporaryDirectory(prefix="record.") as name:
        folder = Path(name)
        (folder / "text.py").write_text((Path(__file__).parents[2] / "pilot" / "wire.py").read_text())
        command = [word.replace("{guest}", _guest()) if "{" in word else word for word in session.command]
        return _run(command, session, folder)


def _guest() -> str:
    from pilot.demo import guest

    return str(guest.build().disk)


def _run(command: Sequence[str], session: Session, folder: Path) -> bytes:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", session.rows, session.columns, 0, 0))
    environment = {
        "PATH": os.environ["PATH"], "TERM": session.term, "LANG": "C.UTF-8", "HOME": str(folder), "PS1": "$ ",
    }  # fmt: skip
    process = subprocess.Popen(
        [*_APART, *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    os.close(slave)
    engine = BitttyEngine(session.columns, session.rows)
    printed = bytearray()
    try:
        for key in ("", *session.keys, ""):
            os.write(master, key.encode())
            if not _listen(master, printed, engine):
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # With the first of its namespace, all in it end.
        process.wait(10)
        os.close(master)
    return bytes(printed[:MOST])


def _listen(master: int, printed: bytearray, engine: BitttyEngine) -> bool:
    """Take what comes, and answer it, until there is quiet; False once no more can come."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if not select.select([master], [], [], QUIET)[0]:
            return True
        try:
            data = os.read(master, 65536)
        except OSError:
            return False
        printed += data
        engine.feed(data)
        os.write(master, engine.take_answers())
        if not data or len(printed) > MOST:
            return False
    return True


def main(names: Sequence[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or SESSIONS:
        data = record(SESSIONS[name])
        (FOLDER / f"{name}.bytes").write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
