"""How long tests wait, so that no verdict depends on how fast a machine is or what else it does.

What must come is waited for by PATIENCE, which only ends a test that hangs. Where a promise has a number of seconds, it
holds on a machine with nothing else to do; `stretched` gives it that much more time where others want the cores too.
"""

import os

PATIENCE = 240.0


def stretched(seconds: float) -> float:
    """The seconds of a promise, times the processes that want each core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) + 1)
