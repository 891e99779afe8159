"""Ways into an account: without any its user could never sign in again, which no removal may bring about."""

from service.errors import LastWayIn
from service.store import identities, passkeys
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


async def has_any(tx: UnitOfWork, user: User) -> bool:
    """Tell whether a user can sign in: by password, a proved address or number, a passkey or a provider."""
    if user.password_hash is not None or user.phone_verified or (user.email is not None and user.email_verified):
        return True
    return await identities.count(tx, user) > 0 or bool(await passkeys.list_all(tx, user))


async def check_any(tx: UnitOfWork, user: User) -> None:
    """Raise LastWayIn for a user who could not sign in any more. Lock the user first."""
    if not await has_any(tx, user):
        raise LastWayIn
