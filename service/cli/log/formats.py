"""Forms of a row of the security log for other systems: plain, Elastic Common Schema 8, OCSF 1.5."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any, NamedTuple

from service.store.events import Event
from service.store.log_chain import PERSONAL, ChainedRow
from service.version import VERSION

_AUTHENTICATION, _ACCOUNT_CHANGE = 3002, 3001
_OTHER = 99


class Activity(NamedTuple):
    """Activity of OCSF's classes Authentication and Account Change, and the type of event in ECS."""

    class_uid: int
    id: int
    name: str
    ecs_type: str


_LOGON = Activity(_AUTHENTICATION, 1, "Logon", "start")
_LOGOFF = Activity(_AUTHENTICATION, 2, "Logoff", "end")
_PROOF = Activity(_AUTHENTICATION, _OTHER, "Other", "info")
_CREATE = Activity(_ACCOUNT_CHANGE, 1, "Create", "creation")
_PASSWORD_CHANGE = Activity(_ACCOUNT_CHANGE, 3, "Password Change", "change")
_PASSWORD_RESET = Activity(_ACCOUNT_CHANGE, 4, "Password Reset", "change")
_DISABLE = Activity(_ACCOUNT_CHANGE, 5, "Disable", "change")
_DELETE = Activity(_ACCOUNT_CHANGE, 6, "Delete", "deletion")
_FACTOR_ENABLE = Activity(_ACCOUNT_CHANGE, 10, "MFA Factor Enable", "change")
_FACTOR_DISABLE = Activity(_ACCOUNT_CHANGE, 11, "MFA Factor Disable", "change")
_CHANGE = Activity(_ACCOUNT_CHANGE, _OTHER, "Other", "change")
# Events that are not here are changes of another kind.
ACTIVITIES: Mapping[str, Activity] = {
    Event.SESSION_CREATE: _LOGON,
    Event.BY_OPERATOR_SESSION_CREATE: _LOGON,
    Event.SESSION_DELETE: _LOGOFF,
    Event.BY_OPERATOR_SESSIONS: _LOGOFF,
    Event.SESSION_UPDATE: _PROOF,
    Event.CHALLENGE_CREATE: _PROOF,
    Event.CHALLENGE_UPDATE: _PROOF,
    Event.CHALLENGE_FAILED: _PROOF,
    Event.PASSKEY_TOKEN_CREATE: _PROOF,
    Event.BY_OPERATOR_CHALLENGE: _PROOF,
    Event.BY_OPERATOR_TOKEN: _PROOF,
    Event.ACCOUNT_CREATE: _CREATE,
    Event.BY_OPERATOR_CREATE: _CREATE,
    Event.ACCOUNT_DELETE: _DELETE,
    Event.ACCOUNT_END: _DELETE,
    Event.BY_OPERATOR_DELETE: _DELETE,
    Event.STATUS_UPDATE: _DISABLE,
    Event.PASSWORD_UPDATE: _PASSWORD_CHANGE,
    Event.BY_OPERATOR_PASSWORD: _PASSWORD_CHANGE,
    Event.RECOVERY_CREATE: _PASSWORD_RESET,
    Event.RECOVERY_UPDATE: _PASSWORD_RESET,
    Event.AUTHENTICATOR_CREATE: _FACTOR_ENABLE,
    Event.AUTHENTICATOR_DELETE: _FACTOR_DISABLE,
}
FAILED = frozenset({Event.CHALLENGE_FAILED})
_UNKNOWN_COUNTRY = ("", "--")


def plain(project_id: str, row: ChainedRow) -> dict[str, Any]:
    """Return all that a row has; with its hash and salt somebody else can verify the chain."""
    values = dict(zip(PERSONAL, row.personal, strict=True))
    links = {name: value and value.hex() for name in ("salt", "hash", "erased") for value in [getattr(row, name)]}
    return {
        "project": project_id,
        "id": str(row.id),
        "time": _time(row),
        "event": row.name,
        **values,
        "number": row.chain_number,
        **links,
    }


def ecs(project_id: str, row: ChainedRow) -> dict[str, Any]:
    """Name the values as ECS does, what it has no name for below `accounts.`."""
    activity = _activity(row)
    signs_in = activity.class_uid == _AUTHENTICATION
    found = {
        "@timestamp": _time(row),
        "ecs.version": "8.11.0",
        "event.id": str(row.id),
        "event.kind": "event",
        "event.category": ["authentication" if signs_in else "iam"],
        "event.type": [activity.ecs_type] if signs_in else ["user", activity.ecs_type],
        "event.action": row.name,
        "event.outcome": "failure" if row.name in FAILED else "success",
        "service.name": "accounts",
        "service.version": VERSION,
        "user.id": row.user_id,
        "source.ip": row.ip,
        "source.geo.country_iso_code": _country(row),
        "user_agent.name": row.client_name,
        "user_agent.version": row.client_version,
        "user_agent.os.name": row.os_name,
        "user_agent.os.version": row.os_version,
        "user_agent.device.name": row.device_model or row.device_name,
        "accounts.project": project_id,
        "accounts.chain.number": row.chain_number,
        "accounts.chain.hash": row.hash and row.hash.hex(),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def ocsf(project_id: str, row: ChainedRow) -> dict[str, Any]:
    """Return an event of the class Authentication or Account Change."""
    activity, failed = _activity(row), row.name in FAILED
    found: dict[str, Any] = {
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": activity.class_uid,
        "class_name": "Authentication" if activity.class_uid == _AUTHENTICATION else "Account Change",
        "activity_id": activity.id,
        # Of another activity the schema wants the source's own name.
        "activity_name": row.name if activity.id == _OTHER else activity.name,
        "type_uid": activity.class_uid * 100 + activity.id,
        "severity_id": 2 if failed else 1,
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "time": round(row.at.timestamp() * 1000),
        "message": row.name,
        "metadata": {
            "version": "1.5.0",
            "uid": str(row.id),
            "product": {"name": "accounts", "vendor_name": "accounts", "version": VERSION},
            "tenant_uid": project_id,
        },
        "user": {"uid": row.user_id} if row.user_id else {"name": "unknown"},
    }
    if activity.class_uid == _AUTHENTICATION:
        found["service"] = {"name": "accounts"}
    if row.ip:
        country = _country(row)
        found["src_endpoint"] = {"ip": row.ip} | ({"location": {"country": country}} if country else {})
    seen = {name: getattr(row, name) for name in ("client_name", "client_version", "os_name", "os_version")}
    chain = {"chain_number": row.chain_number, "hash": row.hash and row.hash.hex()}
    return found | {"unmapped": {name: value for name, value in (seen | chain).items() if value not in (None, "")}}


FORMATS: Mapping[str, Callable[[str, ChainedRow], dict[str, Any]]] = {"ndjson": plain, "ecs": ecs, "ocsf": ocsf}


def _activity(row: ChainedRow) -> Activity:
    return ACTIVITIES.get(row.name, _CHANGE)


def _time(row: ChainedRow) -> str:
    return row.at.astimezone(UTC).isoformat(timespec="microseconds")


def _country(row: ChainedRow) -> str:
    return "" if row.country_code in _UNKNOWN_COUNTRY else row.country_code.upper()
