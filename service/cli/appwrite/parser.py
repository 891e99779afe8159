"""Arguments of `import appwrite`."""

import argparse
from typing import Any

from service.cli.appwrite.keys import DUMP_KEY, KEY
from service.cli.commands import add_command, add_group, lazily

_EPILOG = f"""\
The API key needs the scope users.read and comes from {KEY} or --key-file, never from the command.
Without --endpoint all users come from the dump; with both, the dump gives password hashes, identities and factors.
Users that are here already are left as they are, so the import can run again. See docs/moving.md.
"""


def add(verbs: Any) -> None:
    words = add_group(verbs, "import", "import users of another service")
    made = add_command(
        words, "appwrite", lazily("service.cli.appwrite.importer", "run"), "import the users of an Appwrite project"
    )
    made.formatter_class, made.epilog = argparse.RawDescriptionHelpFormatter, _EPILOG
    made.add_argument("--project", required=True, help="the project here")
    made.add_argument("--endpoint", help="URL of the API, such as https://cloud.appwrite.io/v1")
    made.add_argument("--source-project", metavar="ID", help="the Appwrite project; for a dump only if it has several")
    made.add_argument("--key-file", metavar="FILE", help=f"file with the API key; {KEY} if not given")
    made.add_argument("--dump", metavar="FILE", help="of the Appwrite database, as mariadb-dump or mysqldump writes it")
    made.add_argument("--dump-key-file", metavar="FILE", help=f"file with its _APP_OPENSSL_KEY_V1; else {DUMP_KEY}")
    made.add_argument("--state", metavar="FILE", help="where the import stands, so that it goes on from there")
    made.add_argument("--update", action="store_true", help="change users that are here to what the source says")
    made.add_argument("--without-passwords", action="store_true", help="take no hash: all must recover their passwords")
    made.add_argument("--without-factors", action="store_true", help="take no authenticator app and no recovery code")
    made.add_argument("--dry-run", action="store_true", help="read and check everything, and change nothing")
