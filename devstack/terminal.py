"""Messages to the developer's terminal."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path


def print_line(line: str) -> None:
    print(line, flush=True)


def short(path: Path) -> str:
    return min(str(path), os.path.relpath(path), key=len)


def how_ended(status: int | None) -> str:
    if status is not None and status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"exit {status}"


def welcome(state: Path, project: str, places: Iterable[tuple[str, str]], *, api: str, lan: str) -> None:
    """Print each place with its address, the commands to try, and a warning where others in the LAN reach us."""
    # The shell puts the seconds in, so that the line makes a new account each time.
    body = """'{"email":"ada-'$(date +%s)'@example.com","password":"correct horse 9","name":"Ada"}'"""
    headers = f"-H 'Content-Type: application/json' -H 'X-Appwrite-Project: {project}'"
    lines = "\n".join(f"  {name:8} {text}" for name, text in places)
    print_line(f"""
{lines}
  Project  {project}   (for pages on {f"localhost and {lan}" if lan else "localhost"})
  Logs     {short(state / "log")}
  Commands ./dev cli projects show {project}   (./dev cli --help lists all)

Sign up:
  curl -s {api}/v1/account {headers} -d {body}
""")
    if lan:
        print_line(f"""Warning: with --host everybody in the network of {lan} reaches the API, the example app and
the mailbox, and can read every mail in it. Use it only in a network that you trust.
""")
    print_line(f"Ctrl-C ends all of it; the data stay in {short(state)}.")
