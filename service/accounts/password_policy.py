"""The one check of every password that is to be set, on whichever way, and its hash (reliability.md S48 to S52)."""

from collections.abc import Callable, Iterable
from pathlib import Path

from service.crypto import breached_passwords
from service.crypto.password_hashing import PasswordHashPool
from service.db import Executor
from service.errors import ArgumentInvalid, PasswordPersonal, PasswordReused
from service.http.request_body import BodyContext, describe_error
from service.settings import Settings
from service.store import users
from service.store.users import User

# Shorter words of a name or an address stand in many a good password.
_WORD = 4
# So much more than the project's name makes a password that is one.
_MORE = 4


async def hash_new_password(
    asker: BodyContext,
    passwords: PasswordHashPool,
    text: str,
    *,
    about: Iterable[str | None],
    earlier: Iterable[str] = (),
) -> str:
    """The hash of a password whose length has been checked (fields.py).

    `about` are the user's id, name and address, `earlier` hashes of what it must not be again. Raises ArgumentInvalid
    for one that everybody knows, PasswordPersonal, PasswordReused, and Overloaded.
    """
    project = asker.project
    is_known = breached_passwords.is_common(text) or _is_name(text, project.name)
    if project.password_blocklist and (is_known or await passwords.is_breached(text)):
        fault = "Password should not be one of the commonly used or breached passwords"
        raise ArgumentInvalid(describe_error(asker, "password", "unfit", fault))
    if project.password_personal_data and _is_personal(text, about):
        raise PasswordPersonal
    for line in earlier:
        if await passwords.verify(line, text):
            raise PasswordReused
    return await passwords.hash(text)


def breached(settings: Settings) -> Callable[[str], bool] | None:
    """Who knows the breached passwords, if the operator has a file of them. Raises ValueError for one that is none."""
    return (
        breached_passwords.BreachedPasswords(Path(settings.password_ranges)).contain
        if settings.password_ranges
        else None
    )


async def previous_hashes(asker: BodyContext, conn: Executor, user: User) -> list[str]:
    """Hashes of as many of the user's last passwords as the project asks for, today's first."""
    return await users.last_passwords(conn, user, most=asker.project.password_history)


def personal_words(user: User) -> tuple[str | None, ...]:
    return (user.id, user.name, user.email)


def _is_name(text: str, name: str) -> bool:
    """Whether it is the project's name and little else: what members of a service think of first (ASVS 6.2.11)."""
    word, password = "".join(name.casefold().split()), "".join(text.casefold().split())
    return len(word) >= _WORD and word in password and len(password) - len(word) <= _MORE


def _is_personal(text: str, about: Iterable[str | None]) -> bool:
    """Whether it is, or contains, the user's id, name, address, or the address's part before the @."""
    password = text.casefold()
    words = {word for given in about if given for word in (given.casefold(), given.casefold().partition("@")[0])}
    return any(word == password or (len(word) >= _WORD and word in password) for word in words)
