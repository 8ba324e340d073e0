"""What the letters of Linux's magic SysRq key do, in a few words.

After the kernel's admin guide (Documentation/admin-guide/sysrq.rst); a kernel may know fewer, or have some
switched off (`kernel.sysrq`).
"""

from __future__ import annotations

LETTERS: dict[str, str] = {
    "h": "help: the kernel lists the letters that it knows",
    "t": "list all tasks and what they wait for",
    "w": "list the tasks that are blocked",
    "l": "backtrace of every processor that is busy",
    "m": "how memory is used",
    "p": "registers of the processor that takes the key",
    "q": "timers that are armed, and the clocks' devices",
    "d": "locks that are held",
    "z": "what the function tracer holds",
    "s": "sync: write to the disks what is not written yet",
    "u": "mount all file systems read-only",
    "e": "SIGTERM to everything but init",
    "i": "SIGKILL to everything but init",
    "f": "run the out-of-memory killer once",
    "r": "keyboard out of raw mode, away from a graphical session",
    "k": "kill everything on this virtual console (SAK)",
    "n": "real-time tasks become ordinary ones",
    "j": "thaw file systems that are frozen",
    "c": "crash now: a panic, and a memory dump where that is set up",
    "b": "reboot now, without sync or unmount",
    "o": "power off now",
    "g": "enter the kernel's debugger (kgdb)",
    "v": "bring the framebuffer console back",
    "x": "enter xmon (PowerPC), or dump what the platform has",
    "y": "dump all registers (SPARC)",
    **{str(level): f"console shows messages up to level {level}" for level in range(10)},
}
"""By letter, those first that only tell, then those that change something."""
