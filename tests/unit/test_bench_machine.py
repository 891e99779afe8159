"""The state of a machine that a bench table names."""

import os
import subprocess
import sys

from bench.machine import State, family_cpu

# Ends once it has used so much processor time, however long that takes here.
BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_family_includes_those_that_have_ended():
    """The processor time of children counts as ours while they run and after they were waited for."""
    before = family_cpu(os.getpid())
    with subprocess.Popen([sys.executable, "-c", BURN + "\nprint(1, flush=True)\ninput()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:  # fmt: skip
        running.stdout.readline()
        assert family_cpu(os.getpid()) - before >= 0.25
        running.stdin.close()
    assert family_cpu(os.getpid()) - before >= 0.25


def test_a_busy_machine_is_named():
    """The table says BUSY as soon as others took more than a twentieth of the processors, or the host did."""
    quiet = State(others=0.04, stolen=0.0, load=(0.1, 1.9))
    assert str(quiet) == (
        "other programs took 4% of the processors and the host 0%: quiet"
        " (load average 0.1 at the start, 1.9 at the end)"
    )
    for others, stolen in ((0.06, 0.0), (0.0, 0.06), (0.03, 0.03)):
        assert "BUSY" in str(State(others=others, stolen=stolen, load=(0.1, 1.9)))
