"""`python -m devstack.prepare PROJECT HOST`: migrate the demo's database and make its project, unless that is done.

One process for what are several commands of the service, since each of them would load all of it anew.
"""

import sys

from service.__main__ import main as command
from service.cli.exit_codes import EXISTS


def main(project: str, host: str) -> int:
    """Return 0, or the exit code of the command that failed; `host` is empty, or one that others in the LAN reach."""
    steps = [["migrate"], ["projects", "create", project, "--name", "Demo"], ["platforms", "add", project, "localhost"]]
    if host:
        steps.append(["platforms", "add", project, f"[{host}]" if ":" in host else host])
        steps.append(["projects", "set", project, "--plain-http", "on"])
    for words in steps:
        code = command(words)
        if code not in (0, EXISTS):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
