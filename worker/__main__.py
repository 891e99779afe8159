"""`python -m worker`: send mails and write the security log until stopped; worker/commands.py has the commands.

A container's health check runs every few seconds, so it is answered here without loading the worker.
"""

import sys
from collections.abc import Sequence

from service import heartbeat


def main(words: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if words is None else list(words)
    if [word for word in given if word != "--json"] == ["check"]:
        alive, line = heartbeat.describe(as_json="--json" in given)
        print(line)
        return 0 if alive else 1
    from service.cli import program  # noqa: PLC0415 - loading them takes longer than all of the check
    from worker import commands  # noqa: PLC0415 - as above

    return program.run(lambda: commands.main(given))


if __name__ == "__main__":
    sys.exit(main())
