"""`python -m devstack.prepare PROJECT HOST APP NOTE ISSUER`: migrate the demo's database and make its project.

One process for what are several commands of the service, since each of them would load all of it anew.
"""

import json
import os
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from devstack.programs import PROVIDER
from service.__main__ import main as command
from service.cli.exit_codes import EXISTS, MISSING


class CommandFailed(Exception):
    """A command ended with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main(project: str, host: str, app: str, note: Path, issuer: str) -> int:
    """Return 0, or the exit code of the command that failed.

    `host` is empty, or one that others in the LAN reach. `app` is where the project's pages lead back to, unless a
    developer has set another. `note` is a file that holds the host of the run before: the project allows it no longer,
    unless it is given again. The file `app_url` beside it holds the `app` of the run before. `issuer` is the address of
    the demo provider, whose client secret is in PROVIDER_SECRET.
    """
    try:
        _prepare(project, f"[{host}]" if ":" in host else host, app, note)
        _set_up_provider(project, issuer)
    except CommandFailed as failure:
        return failure.code
    return 0


def _prepare(project: str, host: str, app: str, note: Path) -> None:
    _run("migrate")
    is_new = _run("projects", "create", project, "--name", "Demo", fine=EXISTS) == 0
    # Of the demo provider, and of pages that others in the LAN reach.
    _run("projects", "set", project, "--plain-http", "on")
    _run("platforms", "add", project, "localhost")
    if not _settings(project)["sms_countries"]:
        # All of the world: an SMS goes to the mailbox and costs nothing.
        _run("projects", "set", project, "--sms-countries", ",".join(f"+{digit}" for digit in range(1, 10)))
    former = note.read_text() if note.exists() else ""
    if former and former != host:
        _run("platforms", "remove", project, former, fine=MISSING)
    if host:
        # Noted before it is allowed: a run that is interrupted here is cleared up by the next one.
        note.write_text(host)
        _run("platforms", "add", project, host)
    _lead_back(project, app, note.with_name("app_url"), is_new=is_new)
    if not _settings(project)["rp_id"]:
        _run("projects", "set", project, "--passkeys", "on", "--rp-id", "localhost")
    if former and not host:
        note.unlink()


def _lead_back(project: str, app: str, note: Path, *, is_new: bool) -> None:
    """Make this run's app the project's, where that of the run before still is; what a developer has set stays."""
    former = note.read_text() if note.exists() else ""
    if is_new or (former and _settings(project)["app_url"] == former):
        _run("projects", "set", project, "--app-url", app)
        note.write_text(app)


def _settings(project: str) -> dict[str, str]:
    with redirect_stdout(StringIO()) as shown:
        _run("--json", "projects", "show", project)
    return {name: json.loads(shown.getvalue())[name] for name in ("app_url", "rp_id", "sms_countries")}


def _set_up_provider(project: str, issuer: str) -> None:
    """Let users sign in by the demo provider, which has another secret in each run."""
    sys.stdin = StringIO(os.environ["PROVIDER_SECRET"])
    _run("providers", "set", project, PROVIDER, "--client-id", project, "--client-secret", "--issuer", issuer,
         "--trust-email", "on")  # fmt: skip
    _run("providers", "enable", project, PROVIDER)


def _run(*words: str, fine: int = 0) -> int:
    """Run a command of the service; return 0, or the exit code that is `fine` as well. Raises CommandFailed."""
    code = command(words)
    if code not in (0, fine):
        raise CommandFailed(code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5]))
