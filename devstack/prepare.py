"""`python -m devstack.prepare PROJECT HOST APP`: migrate the demo's database and make its project, unless that is done.

One process for what are several commands of the service, since each of them would load all of it anew.
"""

import sys

from service.__main__ import main as command
from service.cli.exit_codes import EXISTS


def main(project: str, host: str, app: str) -> int:
    """Return 0, or the exit code of the command that failed.

    `host` is empty, or one that others in the LAN reach. `app` is where a new project's pages lead back to.
    """
    create = ["projects", "create", project, "--name", "Demo"]
    steps = [["migrate"], create, ["platforms", "add", project, "localhost"]]
    if host:
        steps.append(["platforms", "add", project, f"[{host}]" if ":" in host else host])
        steps.append(["projects", "set", project, "--plain-http", "on"])
    is_new = False
    for words in steps:
        code = command(words)
        if code not in (0, EXISTS):
            return code
        is_new = is_new or (words is create and code == 0)
    return command(["projects", "set", project, "--app-url", app]) if is_new else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
