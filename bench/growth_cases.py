"""Facts that each statement of sql/queries is run with: those of a busy user, and the worst pages of lists.

A statement without a case of its own runs with these facts by the names of its parameters.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

from service.db import SQL, Queries, Statement
from service.store import sms

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
    "endpoint_id": "hook", "windows": "x y\n100000 100000\n60 3600\n1 1",
}  # fmt: skip
# Users found by a text at the most, and users and mails of a window, as the service asks for them.
_FEW, _WINDOW, _WINDOW_BY_AGE, _MAILS, _COUNTED = 1_000, 5_000, 20_000, 10_000, 5_000
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
    "count_listed_identities", "select_mails", "count_states", "count_waiting", "list_sms", "find_window_end",
    "sample_user_texts", "count_sms_states",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Looked:
    """A fact that is asked of the data."""

    sql: str


def _search(text: str, pattern: str) -> dict[str, Any]:
    """Facts of a search, and the pattern of its rarest pieces."""
    found = {"search": text, "search_email": text, "search_like": pattern, "search_email_like": pattern}
    return found | {"most": _COUNTED}


def _user(order: str, *, at: int, column: str = "id") -> Looked:
    return Looked(f"select {column} from users where project_id = 'bench' order by {order} limit 1 offset {at}")  # noqa: S608 - of this file


def _mail(at: int) -> Looked:
    return Looked(f"select id from mails order by id limit 1 offset {at}")  # noqa: S608 - of this file


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    noun: str
    statement: Statement
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def before(self) -> str:
        """SQL of what the service does before it runs the statement."""
        return _BEFORE.get(self.statement.name, "")

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
    "open_session": _TEXTS | {"user_id": _OTHER, "id": "new", "device": "\n" * 11, "factors": [], "assurance": 1},
    "mail_token": {"id": "new", "kind": "recovery", "email_version": 1, "secret_length": 32},
    "issue_token": {"id": "new", "kind": "recovery", "email_version": 1, "secret_length": 32},
    "enqueue_sms": {"id": UUID(int=1), "kind": "phone_login"},
    "create_oauth_flow": {"kind": "session"},
    "create_invitation": {"email": "guest@example.com", "code_hash": None},
    "refund_attempts": {"names": "x", "limits": "10", "moments": []},
    "create_target": {"id": "new", "provider_type": "push", "session_id": None},
    "write_security_log": {"rows": []},
    "delete_user": {"id": _OTHER},
    "delete_all_sessions": {"user_id": _OTHER},
    "delete_other_sessions": {"user_id": _OTHER},
    "delete_users": {"most": 100}, "delete_sessions": {"most": 100}, "delete_logs": {"most": 100},
    "count_logs": {"most": 5000, "hidden": []},
    "suppress": {"cause": "operator"},
    "create_dkim_key": {"algorithm": "ed25519"},
    "count_sealed_rows": {"most": 10_000},
    "get_extent": {"most": _COUNTED, "sampled": 20_000.0},
    "list_feed_events": {"after": 0, "most": 1_000},
    "list_rows_to_reseal": {"kid": "other"},
}  # fmt: skip
# What is done before a statement of the same run: a project's sessions go before its users.
_BEFORE = {
    "delete_users": f"delete from sessions where project_id = '{PROJECT}' and user_id = '{_BUSY}'",  # noqa: S608
}
# Statements of a migration, of a verification that reads all rows without a deadline, and those of rows by their key
# for which other rows would have to be made first.
LEFT_OUT = {
    "migrations.create_migrations_table", "migrations.bound_lock_wait", "migrations.record_migration",
    "project_deletion.delete_project", "signups.record_sign_up", "identity_tokens.record_identity_token",
    "template_overrides.set_override", "webhooks.add_webhook_secret", "log_chain.keep_snapshot",
    "log_chain.read_without_deadline", "log_chain.read_log_chain", "log_chain.get_unchained_rows",
}  # fmt: skip


# Windows of lists: the first one, whose last user is given.
_BY_AGE = {
    "until": _user("created_at, id", at=_WINDOW_BY_AGE), "until_word": "",
    "until_moment": _user("created_at, id", at=_WINDOW_BY_AGE, column="created_at"), "limit": 100,
}  # fmt: skip
_BY_NAME = {
    "by": "name", "until": _user("name, id", at=_WINDOW), "until_moment": _EPOCH, "limit": 100,
    "until_word": _user("name, id", at=_WINDOW, column="name"),
}  # fmt: skip
_BY_ID = {"by": "id", "until": _user("id", at=_WINDOW), "until_moment": _EPOCH, "until_word": "", "limit": 100}
# All users with this label are unverified.
_NOBODY: dict[str, Any] = {"labels": ["free"], "verified": True}
_DOMAIN = {"email_part": "@mail77.example"}
_PIECES = ["mai", "ail", "il7", "l77", "exa", "xam", "amp", "mpl", "ple"]
_ENDING = 5_000
_END_WINDOW: dict[str, Any] = {"after": _EPOCH, "until": Looked(
    "select max(created_at) from (select created_at from users where project_id = 'bench' and not email_verified"  # noqa: S608
    f" and phone_verified_at is null order by created_at limit {_ENDING}) w"
)}  # fmt: skip
_SHARE = Looked(
    "select least(100, 100 * 20000 / greatest(reltuples, 1))::float8 from pg_class where relname = 'user_texts'"
)
# The worst that a client, an operator or a worker can ask of the statements that read many rows.
WORST: dict[str, dict[str, dict[str, Any]]] = {
    "list_users": {
        "last page by offset": {"limit": 100, "offset": 100_000},
        "by name": {"by": "name", "limit": 100},
        "by name, far behind a cursor": {"by": "name", "limit": 100, "cursor": "x", "word": "Ffff", "moment": _EPOCH},
        "by email, downwards": {"by": "email", "descending": True, "limit": 100},
        "by id": {"by": "id", "limit": 100},
        "by id, far behind a cursor": {"by": "id", "limit": 100, "cursor": "ffff", "word": "", "moment": _EPOCH},
        "blocked": {"statuses": ["blocked"], "limit": 100, "offset": 1000},
        "unverified": {"verified": False, "limit": 100},
        "number verified": {"phone_verified": True, "limit": 100},
        "number unverified": {"phone_verified": False, "limit": 100},
        "a label of few, by name": {"labels": ["vip"], "by": "name", "sorted": True, "limit": 100},
        "a label of nobody": {"labels": ["nobody"], "sorted": True, "limit": 100},
        "named": {"names": ["nobody"], "sorted": True, "limit": 100},
        "a window by age, nobody matches": _NOBODY | _BY_AGE,
        "a window by age, the newest match": {"labels": ["new"]} | _BY_AGE,
        "a window by name, nobody matches": _NOBODY | _BY_NAME,
        "a window by id, nobody matches": _NOBODY | _BY_ID,
        "a window by age, a text": {"email_part": "@mail77.example"} | _BY_AGE,
        f"{_FEW} found by a search, by time of access": {
            "ids": [user_id(number) for number in range(_FEW)], "by": "accessed_at", "sorted": True, "limit": 100,
        },
    },
    "count_users": {
        "all": {"most": _COUNTED}, "blocked": {"statuses": ["blocked"], "most": _COUNTED},
        "a label of nobody": {"labels": ["nobody"], "most": _COUNTED},
        "unverified": {"verified": False, "most": _COUNTED},
        "a window, nobody matches": _NOBODY
        | {"most": _COUNTED, "created_until": _user("created_at, id", at=_WINDOW_BY_AGE, column="created_at")},
        f"{_FEW} found by a search": {"ids": [user_id(number) for number in range(_FEW)], "most": _COUNTED},
    },
    "find_window_end": {
        "by age": {"skipped": _WINDOW_BY_AGE - 1}, "by name": {"by": "name", "skipped": _WINDOW - 1},
        "by id, far behind a cursor": {
            "by": "id", "cursor": "f", "word": "", "moment": _EPOCH, "skipped": _WINDOW - 1,
        },
    },
    "sample_user_texts": {
        "a domain": _DOMAIN | {"share": _SHARE},
        "everybody": {"search": "example", "search_email": "example", "share": _SHARE},
    },
    "rank_pieces": {"of a domain": {"pieces": _PIECES, "most": 2, "share": Looked(f"select 0.2 * ({_SHARE.sql})")}},
    "find_users_by_text": {
        "few": _search("user77777", "%r77777%"),
        "nobody": _search("xyzzyq", "%xyzzyq%"),
        f"a domain of {_FEW}": _DOMAIN | {"email_like": "%il77%", "most": _COUNTED},
        "a name": {"name_part": "abcd", "name_like": "%abcd%", "most": _COUNTED},
    },
    "find_users_by_prefix": {
        "everybody": {"search": "user", "search_email": "user", "most": _COUNTED},
    },
    "find_member_by_secret": {"of a user with 10,000 sessions": {}},
    "list_sessions": {
        "last page of 10,000": {"most": 100, "skipped": 9000}, "before one": {"before": f"{9000:020x}", "most": 100},
    },
    "count_sessions": {"of 10,000": {"most": 5000}},
    "list_logs": {"a page of 20,000": {"most": 100, "skipped": 5000}},
    "list_identities": {
        "all": {"limit": 100}, "of an address": {"emails": ["user8@mail8.example"], "limit": 100},
        "a provider of nobody": {"providers": ["nobody"], "limit": 100},
    },
    "count_listed_identities": {"all": {"most": _COUNTED}, "a provider": {"providers": ["apple"], "most": _COUNTED}},
    "list_outbox": {
        "a window, nothing matches": {
            "states": ["failed"], "letter": "none", "after": _mail(2 * _MAILS), "until": _mail(_MAILS), "most": 100,
        },
        "a window, all match": {"after": _mail(2 * _MAILS), "until": _mail(_MAILS), "most": 100},
    },
    "select_mails": {
        "a window, nothing matches": {
            "states": ["failed"], "letter": "none", "after": _mail(_MAILS), "until": _mail(2 * _MAILS), "most": 100,
        },
    },
    "find_end_window": {
        "the first": {"after": _EPOCH, "looked": _ENDING},
        "of kept ones": {"after": _EPOCH, "looked": _ENDING, "kept": True},
    },
    "lock_users_to_end": {
        "a window, nobody is due": _END_WINDOW,
        "a window, many are due": _END_WINDOW | {"warning": 0},
    },
    "lock_made_users_to_end": {"a window": _END_WINDOW},
    "find_older_mail": {"a window": {"skipped": _MAILS}},
    "find_newer_mail": {"a window": {"skipped": _MAILS}},
    "list_sms": {
        "all": {"project_id": None, "states": list(sms.STATES), "most": 100},
        "failed ones": {"states": ["failed"], "most": 100},
    },
    "count_sms_states": {"all": {"project_id": None, "most": sms.COUNTED}, "a project's": {"most": sms.COUNTED}},
    "find_feed_numbers": {"of two events": {"event_ids": [UUID(int=1), UUID(int=2)]}},
    "list_feed_numbers": {"of a day": {
        "after_at": _NOW - timedelta(days=2), "until": _NOW - timedelta(days=1), "after": 0, "most": 500,
    }},
    "list_webhook_deliveries": {
        "all": {"states": None, "before": None, "most": 100},
        "failed": {"states": ["failed"], "before": None, "most": 100},
    },
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
