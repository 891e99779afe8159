"""Query parameters of routes."""

from service.http.schemas.parts import Parameter

TOTAL = Parameter("total", "`false` leaves the count out: it is 0 then", {"type": "boolean", "default": True})
_QUERIES = {
    "type": "array",
    "items": {"type": "string", "examples": ['{"method":"limit","values":[5]}']},
    "maxItems": 100,
}
QUERIES = Parameter(
    "queries[]",
    'Modern: `{"method":"limit","values":[5]}` or `limit(5)`; limit (0 to 100, usually 25) and offset',
    _QUERIES,
)
SESSION_QUERIES = Parameter(
    "queries[]", "limit (0 to 100, usually 100), offset, cursorAfter, cursorBefore; either spelling", _QUERIES
)
USER_QUERIES = Parameter(
    "queries[]",
    "limit (0 to 100, usually 25), offset, cursorAfter, cursorBefore; orderAsc and orderDesc by $id, $createdAt, "
    "$updatedAt, registration, accessedAt, passwordUpdate, name, email, status, emailVerification; equal for $id, "
    "email, name, status, emailVerification; search and contains for name, email; contains and containsAny for labels; "
    "greaterThan, greaterThanEqual, lessThan, lessThanEqual and between for registration, $createdAt; either spelling",
    _QUERIES,
)
PASSKEY_QUERIES = Parameter(
    "queries[]",
    "limit (0 to 100, usually 25), offset, cursorAfter, cursorBefore; orderAsc and orderDesc by $id, $createdAt, "
    "$updatedAt, name, accessedAt; equal for $id, name; search and contains for name; greaterThan, greaterThanEqual, "
    "lessThan, lessThanEqual and between for $createdAt, $updatedAt, accessedAt; either spelling",
    _QUERIES,
)
TARGET_QUERIES = Parameter(
    "queries[]",
    "limit (0 to 100, usually 25), offset, cursorAfter, cursorBefore; orderAsc and orderDesc by $id, $createdAt, "
    "$updatedAt, name, providerId, providerType, identifier; equal for $id, name, providerId, providerType, "
    "identifier; search and contains for name, identifier; greaterThan, greaterThanEqual, lessThan, lessThanEqual "
    "and between for $createdAt, $updatedAt; either spelling",
    _QUERIES,
)
IDENTITY_QUERIES = Parameter(
    "queries[]",
    "limit (0 to 100, usually 25), offset, cursorAfter, cursorBefore; orderAsc and orderDesc by $createdAt; equal for "
    "$id, userId, provider, providerUid, providerEmail; greaterThan, greaterThanEqual, lessThan, lessThanEqual and "
    "between for $createdAt, providerAccessTokenExpiry; either spelling",
    _QUERIES,
)
_ADDRESS = {"type": "string", "format": "uri", "maxLength": 2048}
FLOW = (
    Parameter("success", "Where the browser goes on to; a page of ours if absent", _ADDRESS),
    Parameter("failure", "Where it goes with an error; a page of ours if absent", _ADDRESS),
    Parameter(
        "scopes[]",
        "Scopes to ask the provider for, besides those that a sign-in needs",
        {"type": "array", "items": {"type": "string", "maxLength": 4096}, "maxItems": 100},
    ),
)
FLOW_STATE = Parameter(
    "state", "Comes back as it is, to tell the app its own request", {"type": "string", "maxLength": 256}
)
RETURNED = tuple(
    Parameter(name, f"`{name}` of the provider's answer")
    for name in ("code", "state", "error", "error_description", "iss", "user")
)
OLD_PAGING = (
    Parameter(
        "search",
        "Part of an id, an address or a name, in double quotes or without; no wildcards",
        {"type": "string", "maxLength": 256},
    ),
    Parameter("limit", "SDKs below 1.0", {"type": "integer", "minimum": 0, "maximum": 100, "default": 25}),
    Parameter("offset", "SDKs below 1.0", {"type": "integer", "minimum": 0, "maximum": 100_000, "default": 0}),
    Parameter("cursor", "SDKs below 1.0: the id of a user"),
    Parameter("cursorDirection", "SDKs below 1.0", {"type": "string", "enum": ["after", "before"]}),
    Parameter("orderType", "SDKs below 1.0", {"type": "string", "enum": ["ASC", "DESC"]}),
)
INVITATION_PAGE = (
    Parameter("after", "The `cursor` of the page before", {"type": "string", "maxLength": 36}),
    Parameter("limit", "Invitations of a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}),
)
EVENT_PAGE = (
    Parameter(
        "after",
        "The `cursor` of the page before; without it the feed begins with its oldest event",
        {"type": "string", "pattern": "^[0-9]{0,18}$"},
    ),
    Parameter("limit", "Events of a page", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    Parameter("format", "Form of the events", {"type": "string", "enum": ["standard", "cloudevents"]}),
)
