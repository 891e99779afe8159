"""Commands of `python -m service`, in the order of --help: a module under service/cli, and a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is loaded when it is given."""

    module: str
    text: str


COMMANDS: Mapping[str, Entry] = {
    "serve": Entry("serve", "serve the API until told to stop"),
    "migrate": Entry("serve", "bring the database's schema up to date"),
    "doctor": Entry(
        "doctor.parser", "check settings, stored secrets, Postgres, Redis, relays and SMS; code 7 if anything is wrong"
    ),
    "projects": Entry("projects.parser", "create, list, show, change and delete projects"),
    "platforms": Entry("platforms", "who a project's clients are: hosts of its pages and links, and its apps"),
    "providers": Entry("providers", "other providers that a project's users may sign in with"),
    "dkim": Entry("dkim", "keys that a project's mails are signed with, and the DNS records that they need"),
    "limits": Entry("limits", "rate limits: numbers of a project's own, and what its windows hold"),
    "keys": Entry("keys", "API keys of a project"),
    "webhooks": Entry(
        "webhooks.parser", "URLs of other systems that a project's events are posted to (docs/webhooks.md)"
    ),
    "secret-keys": Entry("secret_keys", "which of SECRET_KEYS the database still needs, before one is taken away"),
    "users": Entry(
        "users.parser", "users of a project: passwords are read from standard input, never from the command"
    ),
    "import": Entry("appwrite.parser", "import users of another service: an Appwrite project (docs/moving.md)"),
    "shadow": Entry(
        "shadow.parser", "send the same reads to Appwrite and here, and compare the answers (docs/moving.md)"
    ),
    "mails": Entry("mails.parser", "look after mails; DATABASE_URL and REDIS_URL are all that it needs"),
    "suppressions": Entry("suppressions", "addresses that get no mail, because their mailboxes refuse it"),
    "invitations": Entry("invitations", "who may sign up where that takes an invitation: codes, and addresses"),
    "test-accounts": Entry("test_accounts", "addresses for tests and reviews, whose mailed codes may be a fixed one"),
    "sms": Entry("sms", "look after SMS, and show the key that signs them"),
    "log": Entry(
        "log.parser", "the security log: verify that nobody has changed it, hand it on (docs/security-log.md)"
    ),
    "templates": Entry("templates", "a project's own templates of letters (docs/templates.md)"),
}
