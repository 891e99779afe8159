"""The fields of bodies: what each takes, and what the API document says of it."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from service import redirects
from service.api.bodies import DEPTH, Asker, complaint
from service.api.calls import Call
from service.errors import ArgumentInvalid

_EMAIL_SIZE = 254
_USER_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")


def ident(call: Call, name: str) -> str:
    """An id of the path; raises ArgumentInvalid for what can't be one."""
    text = call.path[name]
    if not _USER_ID.fullmatch(text):
        raise ArgumentInvalid(complaint(call, name, "unfit", "Invalid UID format"))
    return text


def unfit(message: str) -> PydanticCustomError:
    """What a check of a field raises; the message follows the field's name."""
    # The library's own formatting must not meet a brace in what a client sent.
    return PydanticCustomError("unfit", "{text}", {"text": message})


def _plain(text: str) -> str:
    """Postgres takes no NUL, mail headers no control character, UTF-8 no lone surrogate."""
    if any(character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff" for character in text):
        raise unfit("Value must not contain control characters")
    if any(
        character in "\u2028\u2029\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        for character in text
    ):
        raise unfit("Value must not contain line separators or direction marks")
    return text


def sized(least: int, most: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not least <= len(text) <= most:
            raise unfit(f"Value must be a valid string and between {least} and {most} chars")
        return text

    return check


def _email(text: str) -> str:
    """One plain ASCII address, lower-cased; refused rather than repaired (reliability.md S19)."""
    if len(text) <= _EMAIL_SIZE and text.isascii() and text.isprintable() and " " not in text:
        try:
            checked = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
        except EmailNotValidError:
            pass
        else:
            return checked.normalized.lower()
    raise unfit("Value must be a valid email address")


def _url(text: str, info: ValidationInfo) -> str:
    call: Call = info.context  # type: ignore[assignment] # read() passes nothing else
    try:
        return redirects.check(text, call.project.hostnames, plain_http=call.project.plain_http)
    except ValueError as error:
        raise unfit(str(error)) from None


def _new_password(text: str, info: ValidationInfo) -> str:
    call: Call = info.context  # type: ignore[assignment] # read() passes nothing else
    if fault := _password_fault(call, text):
        raise unfit(fault)
    return text


def check_new_password(asker: Asker, name: str, text: str) -> None:
    """For a parameter that only sometimes sets a password; raises ArgumentInvalid."""
    if fault := _password_fault(asker, text):
        raise ArgumentInvalid(complaint(asker, name, "unfit", fault))


def _password_fault(asker: Asker, text: str) -> str:
    """6 to 32 in the legacy era, 8 to 256 in the modern one; a project may demand more (design.md, D9)."""
    least, most = (8, 256) if asker.era.modern else (6, 32)
    least, most = max(least, asker.project.password_min), min(most, asker.project.password_max)
    if not least <= len(text) <= most or "\0" in text:
        return f"Password must be between {least} and {most} chars"
    return ""


def _old_password(text: str) -> str:
    """Where a password is proved any length is heard: it may have been set in the other era."""
    if not 1 <= len(text) <= 256 or "\0" in text:
        raise unfit("Password must be between 1 and 256 chars")
    return text


def _user_id(text: str) -> str:
    if text != "unique()" and not _USER_ID.fullmatch(text):
        raise unfit(
            "UserId must contain at most 36 chars. Valid chars are a-z, A-Z, 0-9, period, hyphen, and underscore. "
            "Can't start with a special char"
        )
    return text


def empty_list_is_object(value: Any) -> Any:
    """PHP can't tell `[]` from `{}`, so clients written against it send either."""
    return {} if value == [] else value


def check_prefs(value: dict[str, Any]) -> dict[str, Any]:
    """No key that some clients' JSON parsers throw on, no deep nesting, no NUL (contract.md 0.11)."""
    level: list[Any] = [value]
    for _depth in range(DEPTH):
        for found in level:
            for key in found if isinstance(found, dict) else ():
                if key in ("__proto__", "constructor"):
                    raise unfit(f"Value must not contain the key {key}")
        level = [child for found in level for child in _children(found)]
        if any(isinstance(found, str) and "\0" in found for found in level):
            raise unfit("Value must not contain NUL")
        if not level:
            return value
    raise unfit(f"Value must not be nested deeper than {DEPTH} levels")


def _children(found: Any) -> list[Any]:
    """Keys count as children: they are text like any other."""
    if isinstance(found, dict):
        return [*found.keys(), *found.values()]
    return list(found) if isinstance(found, list) else []


def _example(value: Any, **words: Any) -> Any:
    """What the API document says of a field; the checks are the functions beside it."""
    return Field(examples=[value], json_schema_extra=words)


Email = Annotated[str, AfterValidator(_email), _example("ann@example.com", format="email", maxLength=_EMAIL_SIZE)]
Url = Annotated[
    str,
    AfterValidator(_url),
    _example("http://localhost/welcome", format="uri", description="A page on one of the project's hostnames"),
]
NewPassword = Annotated[
    str,
    AfterValidator(_new_password),
    _example(
        "correct horse",
        format="password",
        minLength=6,
        maxLength=256,
        description="Legacy: 6 to 32 characters, modern: 8 to 256",
    ),
]
OldPassword = Annotated[
    str, AfterValidator(_old_password), _example("correct horse", format="password", minLength=1, maxLength=256)
]
Name = Annotated[str, AfterValidator(sized(0, 128)), AfterValidator(_plain), _example("Ann", maxLength=128)]
NewUserId = Annotated[
    str,
    AfterValidator(_user_id),
    _example("unique()", maxLength=36, description="`unique()`, or an id of your own choice: a-z A-Z 0-9 . _ -"),
]
UserId = Annotated[
    str,
    AfterValidator(sized(1, 36)),
    AfterValidator(_plain),
    _example("66e1c3d2a4b5968778a9", minLength=1, maxLength=36),
]
TokenSecret = Annotated[
    str,
    AfterValidator(sized(1, 256)),
    AfterValidator(_plain),
    _example("5f4dcc3b5aa765d61d83", minLength=1, maxLength=256, description="From the mail"),
]
