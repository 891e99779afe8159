"""Fields of bodies: their checks, and their description in the API document."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetPydanticSchema, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

from service import email_addresses, phone_numbers
from service.crypto import link_secrets
from service.crypto.secret import Secret
from service.http.context import RequestContext
from service.http.request_body import BodyContext, context_of, unfit_parameter
from service.http.text_rules import find_fault, is_text
from service.links import redirect_policy
from service.store.projects import Project

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")
_LABELS, _LABEL = 1000, 36
_YEAR = 31_536_000
_NO_EMAIL = "Value must be a valid email address"


def ident(ctx: RequestContext, name: str) -> str:
    """Return an id of the path; raises ArgumentInvalid for a malformed one."""
    text = ctx.path[name]
    if not _ID.fullmatch(text):
        raise unfit_parameter(ctx, name, "Invalid UID format")
    return text


def unfit(message: str) -> PydanticCustomError:
    """Make the error that a field's check raises; the message follows the field's name."""
    # The library's own formatting must not meet a brace in what a client sent.
    return PydanticCustomError("unfit", "{text}", {"text": message})


def plain(text: str) -> str:
    if fault := find_fault(text):
        raise unfit(fault)
    return text


def sized(least: int, most: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not least <= len(text) <= most:
            raise unfit(f"Value must be a valid string and between {least} and {most} chars")
        return text

    return check


def _secret(least: int, most: int) -> AfterValidator:
    """Make the check of a one-line text, which becomes a Secret."""
    fits = sized(least, most)
    return AfterValidator(lambda text: Secret(plain(fits(text))))


def whole(least: int, most: int) -> AfterValidator:
    """Make the check of a whole number."""

    def check(number: int) -> int:
        if not least <= number <= most:
            raise unfit(f"Value must be between {least} and {most}")
        return number

    return AfterValidator(check)


def _email(text: str, info: ValidationInfo) -> str:
    """Check an address to look up; a user may have had it before the project excluded special-use domains."""
    context = context_of(info)
    try:
        return email_addresses.canonical(text, special_use=context.project.special_use_domains)
    except email_addresses.SpecialUse as fault:
        if "." in str(fault):
            return email_addresses.canonical(text, special_use=True)
        raise unfit(_NO_EMAIL) from None
    except ValueError:
        raise unfit(_NO_EMAIL) from None


def _new_email(text: str, info: ValidationInfo) -> str:
    """Check an address for an account; the project decides on those of private networks."""
    context = context_of(info)
    try:
        return email_addresses.canonical(text, special_use=context.project.special_use_domains)
    except email_addresses.SpecialUse:
        raise unfit(f"{_NO_EMAIL}; special-use domains need the project's setting special_use_domains") from None
    except ValueError:
        raise unfit(_NO_EMAIL) from None


def _phone(text: str) -> str:
    if not phone_numbers.is_number(text):
        raise unfit("Phone number must start with a '+' can have a maximum of fifteen digits.")
    return text


def _check_url(text: str, project: Project) -> str:
    """Check an address to mail. Clients name the same few pages each time; a refusal is not remembered."""
    check = redirect_policy.check if len(text) > _LONG_URL else _check_url_again
    return check(text, frozenset(project.hostnames), plain_http=project.plain_http)


# Most characters of an address that is remembered.
_LONG_URL = 255
_check_url_again = lru_cache(1024)(redirect_policy.check)


def _url(text: str, info: ValidationInfo) -> str:
    context = context_of(info)
    try:
        return _check_url(text, context.project)
    except ValueError as error:
        raise unfit(str(error)) from None


def _needed_by_legacy(value: str | None, info: ValidationInfo) -> str | None:
    context = context_of(info)
    if value is None and not context.api_version.modern:
        raise PydanticCustomError("missing", "Field required")
    return value


def _new_password(text: str, info: ValidationInfo) -> str:
    context = context_of(info)
    if fault := _password_fault(context, text):
        raise unfit(fault)
    return text


def _page_password(text: str, info: ValidationInfo) -> str:
    context = context_of(info)
    if fault := _password_fault(context, text, by_page=True):
        raise unfit(fault)
    return text


def check_new_password(context: BodyContext, name: str, text: str) -> None:
    """Check a parameter that only sometimes sets a password; raises ArgumentInvalid."""
    if fault := _password_fault(context, text):
        raise unfit_parameter(context, name, fault)


def _password_fault(context: BodyContext, text: str, *, by_page: bool = False) -> str:
    least, most = password_bounds(context, by_page=by_page)
    if not least <= len(text) <= most or not is_text(text):
        return f"Password must be between {least} and {most} chars"
    return ""


def password_bounds(context: BodyContext, *, by_page: bool = False) -> tuple[int, int]:
    """Return the lengths of the API version, 6 to 32 or 8 to 256 (docs/contract.md#user); a project may demand more.

    A page of ours takes as many characters as today's clients, whatever the project's own are.
    """
    least, most = (8, 256) if context.api_version.modern else (6, 256 if by_page else 32)
    return max(least, context.project.password_min), min(most, context.project.password_max)


def _old_password(text: str) -> str:
    """Accept any length where a password is proved: it may have been set in the other API version."""
    if not 1 <= len(text) <= 256 or not is_text(text):
        raise unfit("Password must be between 1 and 256 chars")
    return text


def _former_password(text: str) -> str:
    """Accept none: apps with one form for all accounts send "" for those that have no password."""
    return text and _old_password(text)


def new_id(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text != "unique()" and not _ID.fullmatch(text):
            raise unfit(
                f"{name} must contain at most 36 chars. Valid chars are a-z, A-Z, 0-9, period, hyphen, and "
                "underscore. Can't start with a special char"
            )
        return text

    return check


def empty_list_is_object(value: Any) -> Any:
    """Read `[]` as `{}`: PHP can't tell them apart, so clients written against it send either."""
    return {} if value == [] else value


def check_prefs(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse keys that some clients' JSON parsers throw on, numbers that they would round, and invalid text."""
    waiting: list[Any] = [value]
    while waiting:
        match waiting.pop():
            case dict() as found:
                if forbidden := found.keys() & {"__proto__", "constructor"}:
                    raise unfit(f"Value must not contain the key {min(forbidden)}")
                waiting += [*found.keys(), *found.values()]
            case list() as found:
                waiting += found
            case str() as found if not is_text(found):
                raise unfit("Value must not contain NUL or noncharacters")
            case int() as found if not -(2**63) <= found < 2**63:
                raise unfit("Value must not contain whole numbers beyond 64 bits")
    return value


def _example(value: Any, **words: Any) -> Any:
    """Describe a field in the API document; the functions beside it do the checks."""
    return Field(examples=[value], json_schema_extra=words)


# The client's value is text and is checked as text; the handler gets a Secret.
_TEXT = GetPydanticSchema(lambda _source, _handler: core_schema.str_schema(strict=True))

_ADDRESS = _example("ann@example.com", format="email", maxLength=email_addresses.LONGEST)
Email = Annotated[str, AfterValidator(_email), _ADDRESS]
NewEmail = Annotated[str, AfterValidator(_new_email), _ADDRESS]
Phone = Annotated[
    str,
    AfterValidator(_phone),
    _example("+4915112345678", pattern=r"^\+[1-9][0-9]{6,14}$", description="As E.164 writes it: +, country, number"),
]
# Users API: empty removes it.
PhoneOrNone = Annotated[
    str,
    AfterValidator(lambda text: _phone(text) if text else ""),
    _example("+4915112345678", pattern=r"^(\+[1-9][0-9]{6,14})?$", description="Empty removes it"),
]
Url = Annotated[
    str,
    AfterValidator(_url),
    _example("http://localhost/welcome", format="uri", description="A page on one of the project's hostnames"),
]
# Modern clients may leave it out: then a link leads to a page of ours.
LegacyUrl = Annotated[Url | None, AfterValidator(_needed_by_legacy), Field(validate_default=True)]
NewPassword = Annotated[
    Secret,
    _TEXT,
    AfterValidator(_new_password),
    AfterValidator(Secret),
    _example(
        "correct horse",
        format="password",
        minLength=6,
        maxLength=256,
        description="Legacy: 6 to 32 characters, modern: 8 to 256",
    ),
]
# Typed on a page of ours.
PagePassword = Annotated[Secret, _TEXT, AfterValidator(_page_password), AfterValidator(Secret)]
OldPassword = Annotated[
    Secret,
    _TEXT,
    AfterValidator(_old_password),
    AfterValidator(Secret),
    _example("correct horse", format="password", minLength=1, maxLength=256),
]
# Of an account that may have none.
FormerPassword = Annotated[
    Secret,
    _TEXT,
    AfterValidator(_former_password),
    AfterValidator(Secret),
    _example(
        "correct horse",
        format="password",
        maxLength=256,
        description="Empty or absent for an account without a password",
    ),
]
# A password's repetition; a hash too, because passwords can be tried against it.
Hidden = Annotated[Secret, _TEXT, AfterValidator(Secret)]
Name = Annotated[str, AfterValidator(sized(0, 128)), AfterValidator(plain), _example("Ann", maxLength=128)]
NonemptyName = Annotated[
    str, AfterValidator(sized(1, 128)), AfterValidator(plain), _example("Ann", minLength=1, maxLength=128)
]
NEW_ID = _example("unique()", maxLength=36, description="`unique()`, or an id of your own choice: a-z A-Z 0-9 . _ -")
NewUserId = Annotated[str, AfterValidator(new_id("UserId")), NEW_ID]
NewPasskeyId = Annotated[str, AfterValidator(new_id("PasskeyId")), NEW_ID]
# What `navigator.credentials.create()` or `get()` returned, by its `toJSON()`; checked as a whole where it is verified.
Credential = Annotated[
    dict[str, Any],
    _example({"id": "AQID", "rawId": "AQID", "type": "public-key", "response": {}}, description="From `toJSON()`"),
]
UserId = Annotated[
    str,
    AfterValidator(sized(1, 36)),
    AfterValidator(plain),
    _example("66e1c3d2a4b5968778a9", minLength=1, maxLength=36),
]
SessionId = Annotated[str, AfterValidator(sized(1, 36)), AfterValidator(plain)]
# Six digits as a person types or pastes them: "012 345" is one code.
TypedCode = Annotated[
    Secret,
    _TEXT,
    AfterValidator(lambda text: "".join(text.split())),
    _secret(1, 6),
]


def _two_digits(text: str) -> str:
    digits = "".join(text.split())
    if not (len(digits) == 2 and digits.isascii() and digits.isdigit()):
        raise unfit("Value must be two digits")
    return digits


# The number of a waiting sign-in, as a person types it.
TypedNumber = Annotated[str, AfterValidator(_two_digits), _example("42", minLength=2, maxLength=2)]
TokenSecret = Annotated[
    Secret,
    _TEXT,
    _secret(1, 256),
    _example("5f4dcc3b5aa765d61d83", minLength=1, maxLength=256, description="From the mail"),
]
# The code of a second factor, as a person types it.
Otp = Annotated[
    Secret,
    _TEXT,
    _secret(1, 256),
    _example("012345", minLength=1, maxLength=256, description="Six digits, or a recovery code"),
]


def _implied(value: str | None, info: ValidationInfo) -> str | None:
    """Accept no user beside a short secret, which links to pages of ours carry alone."""
    secret: Secret | None = info.data.get("secret")
    if value is None and secret is not None and link_secrets.form_of(secret.reveal()) != "short":
        raise unfit("Value must be the id of the mail")
    return value


# Stands below the secret in its body.
LinkUserId = Annotated[UserId | None, Field(default=None, validate_default=True), AfterValidator(_implied)]


def _session_seconds(seconds: int, info: ValidationInfo) -> int:
    context = context_of(info)
    most = context.project.session_seconds
    if not min(60, most) <= seconds <= most:
        raise unfit(f"Value must be between {min(60, most)} and {most}")
    return seconds


SessionSeconds = Annotated[
    int,
    AfterValidator(_session_seconds),
    _example(3600, minimum=1, description="Seconds, from 60 to the project's session time, which is the default"),
]


ProviderName = Annotated[str, AfterValidator(sized(1, 64)), AfterValidator(plain), _example("google", maxLength=64)]
IdToken = Annotated[
    Secret,
    _TEXT,
    _secret(1, 8192),
    _example("eyJhbGciOiJSUzI1NiJ9", minLength=1, maxLength=8192, description="As the provider gave it to the app"),
]
Nonce = Annotated[
    Secret,
    _TEXT,
    _secret(0, 256),
    _example(
        "b7a1f0c2", minLength=0, maxLength=256, description="The app's own, or the text whose SHA-256 the token has"
    ),
]
ProviderAccessToken = Annotated[
    Secret,
    _TEXT,
    _secret(0, 4096),
    _example(
        "ya29.a0Af", minLength=0, maxLength=4096, description="Kept only where the project shows tokens of providers"
    ),
]


def _lifetime(number: float) -> int:
    if not 0 <= number <= _YEAR:
        raise unfit(f"Value must be between 0 and {_YEAR}")
    return int(number)


# SDKs write a whole number with a point.
AccessTokenSeconds = Annotated[
    int,
    GetPydanticSchema(lambda _source, _handler: core_schema.float_schema(strict=True, allow_inf_nan=False)),
    AfterValidator(_lifetime),
    _example(3600, minimum=0, maximum=31_536_000, description="Seconds until the access token expires"),
]


def _labels(values: list[str]) -> list[str]:
    fit = all(1 <= len(value) <= _LABEL and value.isascii() and value.isalnum() for value in values)
    if len(values) > _LABELS or not fit:
        raise unfit("Labels are at most 1000, each 1 to 36 of a-z A-Z 0-9")
    return values


Labels = Annotated[list[str], AfterValidator(_labels), Field(examples=[["vip"]])]
