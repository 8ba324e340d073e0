"""`python -m pilot.demo`, the same as `pilot demo`."""

import sys

from pilot.demo.run import run

sys.exit(run())
