"""Name of a program, and its ends that are no fault of its own: output that can't be written, and Ctrl-C."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

# As a shell reports a program that a closed pipe (SIGPIPE) or Ctrl-C (SIGINT) has ended; as `cat` ends on a full disk.
CLOSED_PIPE, INTERRUPTED, NOT_WRITTEN = 128 + 13, 128 + 2, 1
# A full disk, a used-up quota, a file that may not grow, a broken disk.
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def name(package: str) -> str:
    """Return how the program was started: its console script, or `python -m` and the package."""
    script = Path(sys.argv[0]).name
    return script if script.startswith("accounts") else f"python -m {package}"


def is_of_output(error: BaseException) -> bool:
    """Tell an error of writing, which names no file, from those of connections, which name none either."""
    # Errors of TLS and of Postgres are subclasses, with numbers of their own.
    is_of_disk = type(error) is OSError and error.filename is None and error.errno in _OF_DISKS
    return is_of_disk or isinstance(error, BrokenPipeError)


def run(main: Callable[[], int]) -> int:
    """Run a program and write out what it has printed. `… | head` closes the pipe early; a disk may be full."""
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if not is_of_output(error):
            raise
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        print(f"the output can't be written: {error.strerror}", file=sys.stderr)  # noqa: T201 - a command line prints
        return NOT_WRITTEN
    except KeyboardInterrupt:
        print(file=sys.stderr)  # noqa: T201 - the shell's prompt begins a line of its own
        return INTERRUPTED
