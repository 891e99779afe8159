"""Name of a program, and its ends that are no errors of its own: a reader that has seen enough, and Ctrl-C."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

# As a shell reports a program that a closed pipe (SIGPIPE) or Ctrl-C (SIGINT) has ended.
CLOSED_PIPE, INTERRUPTED = 128 + 13, 128 + 2


def name(package: str) -> str:
    """Return how the program was started: its console script, or `python -m` and the package."""
    script = Path(sys.argv[0]).name
    return script if script.startswith("accounts") else f"python -m {package}"


def run(main: Callable[[], int]) -> int:
    """Run a program and write out what it has printed. `… | head` closes the pipe early."""
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print(file=sys.stderr)  # noqa: T201 - the shell's prompt begins a line of its own
        return INTERRUPTED
