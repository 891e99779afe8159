"""Messages to the developer's terminal."""

import os
import signal
from pathlib import Path


def print_line(line: str) -> None:
    print(line, flush=True)


def short(path: Path) -> str:
    return min(str(path), os.path.relpath(path), key=len)


def how_ended(status: int | None) -> str:
    if status is not None and status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"exit {status}"


def welcome(state: Path, project: str, *, api: str, page: int, smtp: int) -> None:
    # The shell puts the seconds in, so that the line makes a new account each time.
    body = """'{"email":"ada-'$(date +%s)'@example.com","password":"correct horse 9","name":"Ada"}'"""
    headers = f"-H 'Content-Type: application/json' -H 'X-Appwrite-Project: {project}'"
    print_line(f"""
  API      {api}
  Mailbox  http://localhost:{page}   (takes every mail sent to localhost:{smtp})
  Project  {project}   (for pages on localhost)
  Logs     {short(state / "log")}

Sign up:
  curl -s {api}/v1/account {headers} -d {body}

Ctrl-C ends all of it; the data stay in {short(state)}.""")
