"""Puts this checkout into the virtual environment that runs this: importable, with its console scripts.

What an editable install does, without a build tool to download.
"""

from __future__ import annotations

import sys
import sysconfig
import tomllib
from pathlib import Path


def main() -> None:
    """Write a .pth file and the scripts that pyproject.toml names."""
    checkout = Path(__file__).resolve().parents[1]
    if sys.prefix == sys.base_prefix:
        raise SystemExit("Run this with the Python of a virtual environment.")
    (Path(sysconfig.get_path("purelib")) / "rocks-pilot.pth").write_text(f"{checkout}\n", encoding="utf-8")
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, target in project["scripts"].items():
        module, function = target.split(":")
        script = Path(sys.prefix) / "bin" / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n",
            encoding="utf-8",
        )
        script.chmod(0o755)


main()
