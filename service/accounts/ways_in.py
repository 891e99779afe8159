"""Ways into an account: without any its user could never sign in again, which no removal may bring about."""

from service.errors import LastWayIn
from service.store import identities, passkeys, user_phones
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


async def has_any(tx: UnitOfWork, user: User) -> bool:
    """Tell whether a user can sign in: by password, a proved address or number, a passkey or a provider.

    Nobody signs in by a password without an address, nor by a number that another person may have proved.
    """
    if user.email is not None and (user.email_verified or user.password_hash is not None):
        return True
    if await user_phones.is_proved_by_holder(tx, user):
        return True
    return await identities.count(tx, user) > 0 or bool(await passkeys.list_all(tx, user))


async def check_any(tx: UnitOfWork, user: User) -> None:
    """Raise LastWayIn for a user who could not sign in any more. Lock the user first."""
    if not await has_any(tx, user):
        raise LastWayIn
