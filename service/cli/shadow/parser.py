"""Arguments of `shadow`."""

import argparse
from typing import Any

from service.cli.appwrite.keys import KEY
from service.cli.arguments import whole
from service.cli.commands import add_command, lazily

OWN_KEY = "ACCOUNTS_API_KEY"
_EPILOG = f"""\
API keys need the scope users.read and come from {KEY} and {OWN_KEY}, or from files. No value of an answer is printed.
Code 7 if anything differs. See docs/moving.md for the lines of --file, and the fields that are not compared.
"""


def add(verbs: Any) -> None:
    made = add_command(
        verbs, "shadow", lazily("service.cli.shadow.comparison", "run"),
        "send the same reads to Appwrite and here, and compare",
    )  # fmt: skip
    made.formatter_class, made.epilog = argparse.RawDescriptionHelpFormatter, _EPILOG
    made.add_argument("--project", required=True, help="the project here")
    made.add_argument("--endpoint", required=True, help="URL of the other API, such as https://cloud.appwrite.io/v1")
    made.add_argument("--source-project", metavar="ID", required=True, help="the Appwrite project")
    made.add_argument("--here", metavar="URL", help="URL of this service's API; PUBLIC_URL and /v1 if not given")
    made.add_argument("--key-file", metavar="FILE", help=f"file with the other API's key; {KEY} if not given")
    made.add_argument("--here-key-file", metavar="FILE", help=f"file with a key of this service; else {OWN_KEY}")
    made.add_argument("--file", help="reads, one JSON object a line; the other project's users if not given")
    made.add_argument("--users", type=whole(1, 10_000_000), metavar="N", help="only the first N of these users")
