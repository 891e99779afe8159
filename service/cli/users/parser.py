"""Arguments of the users commands."""

from typing import Any

from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import add_group, boolean
from service.cli.users import change, erasure, exports, factors, identities, imports, passkeys, sessions, show, targets
from service.cli.users.commands import add_user_command


def add(verbs: Any) -> None:
    words = add_group(verbs, "users", COMMANDS["users"].text)
    listed = add_user_command(words, "list", show.list_users, "list users, oldest first")
    listed.add_argument("--search", metavar="TEXT", help="part of an id, an address or a name")
    rows = kinds.whole(1, kinds.ROWS)
    text = f"at most so many, 1 to {kinds.ROWS}; 100 if not given"
    listed.add_argument("--limit", type=rows, default=100, metavar="N", help=text)
    listed.add_argument("--after", metavar="ID", help="those after this user")
    listed.add_argument("--newest", action="store_true", help="newest first")
    create = add_user_command(words, "create", change.create, "make a user")
    create.add_argument("--id", help="1 to 36 of a-z A-Z 0-9 . _ -; made up if not given")
    changed = add_user_command(
        words, "set", change.change, "change a user; a new password ends all sessions", of_user=True
    )
    for made in (create, changed):
        made.add_argument("--email")
        made.add_argument("--name")
        made.add_argument("--verified", type=boolean, metavar="on|off", help="whether the address is proved")
        made.add_argument("--labels", metavar="A,B", help="comma-separated; they replace earlier ones")
        made.add_argument("--password", action="store_true", help="read a password from standard input")
    for name, act, text in (
        ("show", show.show_user, "show a user"),
        ("block", change.block, "block a user at once"),
        ("unblock", change.unblock, "let a blocked user in again"),
    ):
        add_user_command(words, name, act, text, of_user=True)
    deletion = add_user_command(
        words, "delete", change.delete, "delete a user for good; the address is free again", of_user=True
    )
    confirmation.add(deletion)
    text = "delete a user with every trace of the person; the user may be gone already"
    erasure.add(add_user_command(words, "erase", erasure.run, text, of_user=True))
    sessions.add(words)
    factors.add(words)
    passkeys.add(words)
    targets.add(words)
    identities.add(words)
    exports.add(add_user_command(words, "export", exports.run, "write all users as lines of JSON, also with hashes"))
    imports.add(add_user_command(words, "import", imports.run, "make users whose passwords are known as hashes"))
