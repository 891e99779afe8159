"""Time zones come with the lock: an image may have none of its own."""

import subprocess
import sys

from testkit.patience import PATIENCE


def test_zones_are_there_without_the_systems():
    """Without a folder of zones Python finds those of the package tzdata."""
    asks = (
        "import zoneinfo; from datetime import datetime; assert not zoneinfo.TZPATH;"
        "print(datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).utcoffset())"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks],
        env={"PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "2:00:00"), done.stderr
