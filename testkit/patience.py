"""Timeouts of tests, so that no verdict depends on the machine's speed or its load.

What must come is waited for by PATIENCE, which only ends a test that hangs. Where a promise has a number of seconds, it
holds on a machine with nothing else to do; `stretched` gives it that much more time where others want the cores too.
"""

import os

PATIENCE = 240.0


def stretched(seconds: float) -> float:
    """Multiply the seconds of a promise by the processes that want each core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) + 1)
