"""`./dev cli`: `python -m service ...` with the settings of the demo that is running."""

import os
import sys
from pathlib import Path

from devstack import environment
from devstack.children import ROOT
from devstack.terminal import short

NOT_RUNNING = 5  # as the service's own commands exit where their settings are unfit


def run(state: Path, words: list[str]) -> int:
    """Become that command, in the caller's folder; answer NOT_RUNNING where no demo runs."""
    settings = environment.read(state)
    if settings is None:
        print(f"No local demo is running in {short(state)}. Start it with `./dev run`, and try again.", file=sys.stderr)
        return NOT_RUNNING
    # -P: the caller's folder may hold a `service` of its own.
    argv = [sys.executable, "-P", "-m", "service", *words]
    return os.execve(sys.executable, argv, {**os.environ, **settings, "PYTHONPATH": str(ROOT)})  # noqa: S606 - no shell is wanted
