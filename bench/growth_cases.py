"""Facts that each statement of sql/queries is run with: those of a busy user, and the worst pages of lists.

A statement without a case of its own runs with these facts by the names of its parameters.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

from service.db import SQL, Queries, Statement
from service.store.user_search import MOST

PROJECT = "bench"
_NOW = datetime.now(UTC)
# Of a list that is ordered by no time.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def user_id(number: int) -> str:
    return md5(f"u{number}".encode(), usedforsecurity=False).hexdigest()[:20]


# The user with 10,000 sessions and 20,000 log entries.
_BUSY = user_id(1)
FACTS: dict[str, Any] = {
    "project_id": PROJECT, "id": _BUSY, "user_id": _BUSY, "requested_user_id": _BUSY, "email": "user7@mail7.example",
    "session_id": f"{9:020x}", "secret_hash": sha256(b"9").digest(), "phone": "+4915100000010", "states": None,
    "since": _NOW - timedelta(days=800), "seconds": 3600, "days": 30, "months": 12, "limit": 25, "offset": 0,
    "skipped": 0, "most": 500, "by": "created_at", "ids": None, "kid": "bench", "uuid": UUID(int=0),
}  # fmt: skip
# Text arrays that filter nothing when they are null.
_OPTIONAL = {
    "states",
    "ids",
    "emails",
    "names",
    "statuses",
    "labels",
    "phones",
    "only",
    "users",
    "providers",
    "subjects",
}
_FILTERS = {
    "list_users", "count_users", "find_users_by_text", "list_outbox", "list_sessions", "list_logs", "list_identities",
    "count_listed_identities", "select_mails", "count_states", "count_waiting", "list_sms",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    noun: str
    statement: Statement
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.noun}.{self.statement.name}{': ' * bool(self.note)}{self.note}"

    def values(self, types: list[str]) -> list[Any]:
        """Return the statement's parameters, given their types."""
        return [self._value(name, kind) for name, kind in zip(self.statement.params, types, strict=True)]

    def _value(self, name: str, kind: str) -> Any:
        if name in self.facts:
            return self.facts[name]
        filters = self.statement.name in _FILTERS
        if kind == "uuid":
            return None if filters else UUID(int=0)
        if filters and name not in (
            "project_id",
            "user_id",
            "by",
            "limit",
            "offset",
            "skipped",
            "most",
            "since",
            "days",
        ):
            return [] if name == "hidden" else False if name == "descending" else None
        value = FACTS.get(name)
        return value if value is not None and _fits(value, kind) else _NOTHING.get(kind)


_NOTHING: dict[str, Any] = {
    "text": "none", "int4": 10, "int2": 10, "int8": 10, "float8": 60.0, "bool": False, "text[]": [], "uuid[]": [],
    "bytea": b"x" * 32, "timestamptz": _NOW, "jsonb": {}, "int4[]": [], "timestamptz[]": [], "bytea[]": [],
    "int8[]": [],
}  # fmt: skip
_KINDS: dict[type, tuple[str, ...]] = {
    str: ("text",), int: ("int4", "int2", "int8", "float8"), bytes: ("bytea",), datetime: ("timestamptz",),
}  # fmt: skip


def _fits(value: object, kind: str) -> bool:
    return kind in _KINDS.get(type(value), ())


# Facts of statements that refuse those above, or mean another row by the same name. The other user has two sessions.
_OTHER = user_id(3)
_TEXTS = dict.fromkeys(("ip", "country_code", "provider", "provider_uid", "name"), "x")
OWN: dict[str, dict[str, Any]] = {
    "create_challenge": {"factor": "totp"},
    "change_status": {"status": "active"},
    "create_session": _TEXTS | {"user_id": _OTHER, "id": "new", "device": [""] * 12, "factors": [], "assurance": 1},
    "mail_token": {"id": "new", "kind": "recovery", "email_version": 1, "secret_length": 32},
    "issue_token": {"id": "new", "kind": "recovery", "email_version": 1, "secret_length": 32},
    "enqueue_sms": {"id": UUID(int=1), "kind": "phone_login"},
    "create_oauth_flow": {"kind": "session"},
    "create_target": {"id": "new", "provider_type": "push", "session_id": None},
    "write_security_log": {"rows": []},
    "delete_user": {"id": _OTHER},
    "delete_all_sessions": {"user_id": _OTHER},
    "delete_other_sessions": {"user_id": _OTHER},
    "delete_users": {"most": 100}, "delete_logs": {"most": 100},
    "count_logs": {"most": 5000, "hidden": []},
    "suppress": {"cause": "operator"},
    "create_dkim_key": {"algorithm": "ed25519"},
    "count_sealed_rows": {"most": 10_000},
    "list_rows_to_reseal": {"kid": "other"},
}  # fmt: skip
# Statements of a migration, of a verification that reads all rows without a deadline, and those of rows by their key
# for which other rows would have to be made first.
LEFT_OUT = {
    "migrations.create_migrations_table", "migrations.bound_lock_wait", "migrations.record_migration",
    "project_deletion.delete_project", "signups.record_sign_up", "identity_tokens.record_identity_token",
    "template_overrides.set_override", "webhooks.add_webhook_secret", "log_chain.keep_snapshot",
    "log_chain.read_without_deadline", "log_chain.read_log_chain", "log_chain.get_unchained_rows",
}  # fmt: skip


# The worst that a client, an operator or a worker can ask of the statements that read many rows.
WORST: dict[str, dict[str, dict[str, Any]]] = {
    "list_users": {
        "last page by offset": {"limit": 100, "offset": 100_000},
        "by name": {"by": "name", "limit": 100},
        "by name, far behind a cursor": {"by": "name", "limit": 100, "cursor": "x", "word": "Ffff", "moment": _EPOCH},
        "by email, downwards": {"by": "email", "descending": True, "limit": 100},
        "by id": {"by": "id", "limit": 100},
        "blocked": {"statuses": ["blocked"], "limit": 100, "offset": 1000},
        "a label of few": {"labels": ["vip"], "limit": 100},
        "a label of half": {"labels": ["free"], "limit": 100},
        "a label of nobody": {"labels": ["nobody"], "limit": 100},
        "unverified, by name": {"verified": False, "by": "name", "limit": 100},
        "named": {"names": ["nobody"], "limit": 100},
        f"{MOST} found by a search, by time of access": {
            "ids": [user_id(number) for number in range(MOST)], "by": "accessed_at", "limit": 100,
        },
    },
    "count_users": {
        "all": {"most": 5000}, "blocked": {"statuses": ["blocked"], "most": 5000},
        "a label of nobody": {"labels": ["nobody"], "most": 5000}, "unverified": {"verified": False, "most": 5000},
        f"{MOST} found by a search": {"ids": [user_id(number) for number in range(MOST)], "most": 5000},
    },
    "find_users_by_text": {
        "few": {"search": "%user77777%", "search_email": "%user77777%", "most": MOST},
        "nobody": {"search": "%xyzzyq%", "search_email": "%xyzzyq%", "most": MOST},
        "everybody": {"search": "%example%", "search_email": "%example%", "most": MOST},
        "a domain of many": {"email_part": "%@mail77.example%", "most": MOST},
        "a name": {"name_part": "%abc%", "most": MOST},
    },
    "find_users_by_prefix": {
        "everybody": {"search": "user", "search_email": "user", "most": MOST},
    },
    "find_member_by_secret": {"of a user with 10,000 sessions": {}},
    "list_sessions": {
        "last page of 10,000": {"most": 100, "skipped": 9000}, "before one": {"before": f"{9000:020x}", "most": 100},
    },
    "count_sessions": {"of 10,000": {"most": 5000}},
    "list_logs": {"a page of 20,000": {"most": 100, "skipped": 5000}},
    "list_outbox": {
        "failed": {"states": ["failed"], "most": 100}, "a letter of few": {"letter": "otp", "most": 100},
        "old": {"older": 86400.0, "most": 100},
    },
    "find_older_mail": {"a window": {"skipped": 20_000}},
    "count_states": {"all": {"project_id": None, "most": 10_000}, "a project's": {"most": 10_000}},
    "get_backlog": {"all": {"most": 10_000}},
}  # fmt: skip


def cases() -> list[Case]:
    """List one for each statement, or several where it has worst pages."""
    found = []
    for path in sorted((SQL / "queries").glob("*.sql")):
        for statement in Queries(path.stem).statements.values():
            if f"{path.stem}.{statement.name}" in LEFT_OUT:
                continue
            notes = WORST.get(statement.name) or {"": OWN.get(statement.name, {})}
            found += [Case(path.stem, statement, note, facts) for note, facts in notes.items()]
    return found
